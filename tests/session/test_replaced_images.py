"""Images whose files were replaced by others of the same size are noticed before they are used."""

import os
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny_data import disk_picture

from napari_active_seg.errors import ImageError, NothingToDoError, RemedyId
from napari_active_seg.project import Split, images_table


@pytest.fixture
def trained(session, pool):
    session.labels.answer_from_masks(pool / "masks", only="images")
    session.train()
    return session


def replace(session, image_id, seed=77):
    """Write another picture of the same size over an image."""
    pixels, _ = disk_picture(seed)
    Image.fromarray(pixels).save(session.project.images.path(image_id))


def first(session, split):
    return session.project.images.all(split)[0].id


def verbs(session, out):
    """What reads labelled images of the pool, and of the validation."""
    pooled = {
        "train": session.train,
        "export": lambda: session.export("masks", out),
        "cross-validate": session.trust.cross_validate,
    }
    held_out = {
        "train": session.train,
        "evaluate": lambda: session.evaluate(),
        "score": session.trust.score_validation,
        "calibrate": session.trust.calibrate,
    }
    return {Split.POOL: pooled, Split.VALIDATION: held_out}


@pytest.mark.parametrize("split", [Split.POOL, Split.VALIDATION])
def test_replaced_images_are_refused_until_they_are_taken(trained, tmp_path, split):
    image_id = first(trained, split)
    trained.predict()
    replace(trained, image_id)
    for name, verb in verbs(trained, tmp_path / "out")[split].items():
        with pytest.raises(ImageError, match="file of 1 image was replaced since") as refused:
            verb()
        assert f": {image_id}; put the old files back" in str(refused.value), name
        assert [remedy.id for remedy in refused.value.remedies] == [RemedyId.ACCEPT_IMAGES]
    assert not (tmp_path / "out").exists()
    assert image_id in trained.state.predicted
    taken = trained.maintenance.accept_changed()
    assert taken == (image_id,)
    assert image_id not in trained.state.predicted and len(trained.state.predicted) == 3
    assert trained.project.events.of("")[-1].facts == {"images": [image_id]}
    for name, verb in verbs(trained, tmp_path / "out")[split].items():
        if name != "calibrate":  # one validation image is not enough for it
            verb()


def test_evaluating_other_images_needs_none_of_the_project(trained, pool):
    from napari_active_seg.studies import folder_of_labelled_images

    folder = folder_of_labelled_images(pool / "images", pool / "masks", trained.state.schema)
    replace(trained, first(trained, Split.VALIDATION))
    assert len(trained.evaluate(folder.images).image_ids) == len(folder.images)


def test_the_old_file_put_back_is_taken_without_a_word(trained, tmp_path):
    path = trained.project.images.path(first(trained, Split.POOL))
    shutil.copyfile(path, tmp_path / "old.png")
    replace(trained, first(trained, Split.POOL))
    with pytest.raises(ImageError, match="was replaced"):
        trained.train()
    shutil.copyfile(tmp_path / "old.png", path)
    trained.train()
    with pytest.raises(NothingToDoError, match="no image was replaced"):
        trained.maintenance.accept_changed()


def test_files_are_read_again_only_where_size_or_time_changed(trained, monkeypatch):
    read = []

    def compute_fingerprint(path):
        read.append(path)
        return original(path)

    original = images_table.compute_fingerprint
    monkeypatch.setattr(images_table, "compute_fingerprint", compute_fingerprint)
    images = trained.project.images
    ids = [ref.id for ref in images.all()]
    assert images.find_changed(ids) == () and read == []  # the training has read them
    os.utime(images.path(ids[0]), (1, 1))
    assert images.find_changed(ids) == () and read == [images.path(ids[0])]
    assert images.find_changed(ids) == () and len(read) == 1
    (trained.project.folder / "cache" / "checked.json").write_text("[1]")  # may be damaged
    assert images.find_changed(ids) == () and len(read) == 5
    images.path(ids[0]).unlink()
    assert images.find_changed(ids) == ()  # missing images are said elsewhere


def test_a_replaced_image_of_another_size_is_not_taken(trained):
    image_id = first(trained, Split.POOL)
    path = trained.project.images.path(image_id)
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(path)
    assert trained.project.images.find_changed([image_id]) == ()  # refused where it is read
    with pytest.raises(NothingToDoError):
        trained.maintenance.accept_changed()
    with pytest.raises(ImageError, match="is now 10 x 10 but was 96 x 128"):
        trained.project.images.accept_changed([image_id])
    path.write_bytes(b"no picture")
    assert trained.project.images.find_changed([image_id]) == ()


def test_the_check_crosses_to_another_process(trained):
    ids = [ref.id for ref in trained.project.images.all()]
    check = pickle.loads(pickle.dumps(trained.project.images.find_changed))  # noqa: S301
    assert check(ids) == ()
    replace(trained, ids[1])
    assert check(ids) == (ids[1],)
