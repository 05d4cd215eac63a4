"""A click helper of the SAM family, small and untrained, through real files."""

import json

import numpy as np
import pytest
from tiny_sam import save_tiny_sam

from napari_active_seg.errors import BadInputError, ModelError
from napari_active_seg.learning import load_sam
from napari_active_seg.models.interactive import Prompts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_sam(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def helper(folder):
    return load_sam(folder, "cpu")


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (70, 110, 3), np.uint8)


@pytest.mark.parametrize(
    "hints",
    [
        Prompts(inside=((20.0, 30.0),)),
        Prompts(inside=((20.0, 30.0), (40.0, 90.0)), outside=((5.0, 5.0),)),
        Prompts(box=(10.0, 20.0, 50.0, 80.0)),
        Prompts(inside=((30.0, 40.0),), box=(10.0, 20.0, 50.0, 80.0)),
    ],
)
def test_clicks_and_boxes_give_a_mask_as_large_as_the_picture(helper, picture, hints):
    mask = helper.segment(helper.set_image(picture), hints)
    assert mask.shape == (70, 110) and mask.dtype == bool


def test_an_answer_depends_on_where_one_clicks_and_is_the_same_each_time(helper, picture):
    seen = helper.set_image(picture)
    one = helper.segment(seen, Prompts(inside=((10.0, 10.0),)))
    again = helper.segment(seen, Prompts(inside=((10.0, 10.0),)))
    np.testing.assert_array_equal(one, again)
    corners = [(y, x) for y in (2.0, 35.0, 67.0) for x in (2.0, 55.0, 107.0)]
    answers = {helper.segment(seen, Prompts(inside=(at,))).tobytes() for at in corners}
    assert len(answers) > 1


def test_places_are_those_of_the_picture_as_the_library_itself_scales_it(helper, picture):
    from transformers import SamImageProcessor

    side = helper._side
    theirs = SamImageProcessor(
        size={"longest_edge": side}, pad_size={"height": side, "width": side}
    )(picture, return_tensors="pt")
    rows, columns = theirs["reshaped_input_sizes"][0].tolist()
    seen = helper.set_image(picture)
    assert [round(n * seen.scale) for n in picture.shape[:2]] == [rows, columns]
    ours = helper._model.get_image_embeddings(theirs["pixel_values"].to(seen.embeddings.device))
    np.testing.assert_allclose(ours.detach().numpy(), seen.embeddings.numpy(), atol=0.25)
    point = helper._prompts(Prompts(inside=((34.5, 54.5),)), seen.scale)["input_points"]
    np.testing.assert_allclose(point[0, 0, 0].numpy(), [columns / 2, rows / 2], atol=0.51)


def test_nothing_pointed_at_is_refused(helper, picture):
    seen = helper.set_image(picture)
    with pytest.raises(BadInputError, match="click"):
        helper.segment(seen, Prompts(outside=((3.0, 3.0),)))
    with pytest.raises(BadInputError, match="seen"):
        helper.segment(picture, Prompts(inside=((3.0, 3.0),)))


def test_folders_without_a_checkpoint_are_refused_in_words(tmp_path, folder):
    with pytest.raises(ModelError, match="holds no SAM checkpoint"):
        load_sam(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="type 'bert'"):
        load_sam(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_sam(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything that could run code")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_sam(tmp_path)
