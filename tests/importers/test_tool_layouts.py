"""Folders that other tools wrote, without a card of ours."""

import base64
import json

import numpy as np
import pytest
from tiny_export import data_set, labelled, random_target, read_back, written

from napari_active_seg.errors import AnnotationError
from napari_active_seg.regions import LabelSchema, Region

THREE = LabelSchema.from_names(["background", "gland", "vessel"])


def strangers(tmp_path, name, target, schema=THREE):
    """Return a folder as another tool would have written it."""
    images = [labelled("a.png", target), labelled("b.png", np.zeros((5, 5), np.uint8))]
    out = written(data_set(images, schema=schema), name, tmp_path / name).out
    for card in ("dataset.json", "regions.csv"):
        (out / card).unlink()
    return out, images


@pytest.mark.parametrize("name", ["nnunet", "monai", "labelme"])
def test_they_are_recognised_and_read(name, tmp_path):
    target = random_target((30, 40), 3, 3)
    out, images = strangers(tmp_path, name, target)
    source = read_back(out, images, schema=THREE)
    assert set(source.image_ids) == {"a.png", "b.png"}
    assert (source.read_target(Region.whole("a.png", target.shape)) == target).all()
    assert (source.read_target(Region("a.png", 3, 4, 10, 11)) == target[3:13, 4:15]).all()


def test_yolo_is_read_with_its_own_numbers(tmp_path):
    target = random_target((30, 40), 3, 3, unlabelled=False)
    out, images = strangers(tmp_path, "yolo", target)
    source = read_back(out, images, schema=THREE)
    assert (source.read_target(Region.whole("a.png", target.shape)) == target).all()


def test_classes_are_found_by_name_and_nnunets_background_is_our_first(tmp_path):
    target = random_target((30, 40), 3, 3)
    skin = LabelSchema.from_names(["skin", "vessel", "gland"])
    out, images = strangers(tmp_path, "nnunet", target)
    place = np.array([0, 2, 1] + [255] * 253, np.uint8)
    source = read_back(out, images, schema=skin)
    assert (source.read_target(Region.whole("a.png", target.shape)) == place[target]).all()
    with pytest.raises(AnnotationError, match="vessel"):
        read_back(out, images, schema=LabelSchema.from_names(["skin", "gland"]))


def test_a_list_that_leads_outside_is_refused(tmp_path):
    out, images = strangers(tmp_path, "monai", random_target((30, 40), 3, 3))
    path = out / "datalist.json"
    facts = json.loads(path.read_text())
    facts["training"][0]["label"] = "../../secret.png"
    path.write_text(json.dumps(facts))
    with pytest.raises(AnnotationError, match="outside"):
        read_back(out, images, schema=THREE)


@pytest.mark.parametrize(
    ("line", "words"),
    [("0 0.1 0.1 0.2 0.2", "three corners"), ("7 0 0 1 0 1 1", "class 7"), ("x y", "not a class")],
)
def test_lines_of_yolo_that_say_nothing_are_named(tmp_path, line, words):
    out, images = strangers(tmp_path, "yolo", random_target((30, 40), 3, 3, unlabelled=False))
    next((out / "labels").rglob("a.txt")).write_text(line)
    with pytest.raises(AnnotationError, match=words):
        read_back(out, images, schema=THREE)


def test_labelmes_own_shapes_are_filled(tmp_path):
    images = [labelled("a.png", np.zeros((20, 20), np.uint8))]
    shapes = [
        {"label": "gland", "shape_type": "polygon", "points": [[2, 2], [8, 2], [8, 8], [2, 8]]},
        {"label": "vessel", "shape_type": "rectangle", "points": [[10, 10], [15, 14]]},
        {"label": "gland", "shape_type": "circle", "points": [[15, 5], [15, 7]]},
        {"label": "gland", "shape_type": "line", "points": [[0, 0], [1, 1]]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": shapes}))
    found = read_back(tmp_path, images, schema=THREE).read_target(Region.whole("a.png", (20, 20)))
    assert (found[2:8, 2:8] == 1).all() and (found[10:14, 10:15] == 2).all()
    assert found[5, 14] == 1 and found[0, 0] == 0
    assert 8 <= (found[:10, 10:] == 1).sum() <= 16  # a circle of radius two


@pytest.mark.parametrize(
    "shape",
    [
        {"label": "gland", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "no"},
        {"label": "gland", "shape_type": "rectangle", "points": [[0, 0]]},
        {"label": "gland", "shape_type": "polygon", "points": "x"},
        {"shape_type": "polygon", "points": []},
        "x",
    ],
)
def test_shapes_of_labelme_that_cannot_be_read_are_named(tmp_path, shape):
    images = [labelled("a.png", np.zeros((20, 20), np.uint8))]
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": [shape]}))
    with pytest.raises(AnnotationError, match="shape 1"):
        read_back(tmp_path, images, schema=THREE)


def test_postscript_in_the_mask_of_labelme_runs_nowhere(tmp_path, monkeypatch):
    def start(*_args, **_options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", start)
    code = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n{ } loop\n"
    mask = base64.b64encode(code).decode()
    shape = {"label": "gland", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": mask}
    images = [labelled("a.png", np.zeros((20, 20), np.uint8))]
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": [shape]}))
    with pytest.raises(AnnotationError, match="a mask that cannot be read"):
        read_back(tmp_path, images, schema=THREE)
