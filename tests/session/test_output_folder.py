"""Nothing is written into, around or in place of what a project reads."""

import hashlib
import json
from pathlib import Path

import pytest

from napari_active_seg.errors import BadInputError
from napari_active_seg.session.export import ExportChoice


@pytest.fixture
def trained(session, pool):
    session.proposals.propose(count=3, size=32)
    session.labels.answer_from_masks(pool / "masks")
    session.train(preset="fast")
    return session


def content(folder):
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix == ".png")
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("data/images", "is a folder of the project's images"),
        ("data/images/sub/labels", "lies in a folder of the project's images"),
        ("data/images/../images/x", "lies in a folder of the project's images"),
        ("link/x", "lies in a folder of the project's images"),
        ("data", "holds a folder of the project's images"),
        ("data/masks/x", "lies in the folder of the project's masks"),
        ("project", "is the project's folder"),
        ("project/exports/coco", "lies in the project's folder"),
        (".", "holds the project's folder"),
    ],
)
def test_folders_that_the_project_reads_are_refused(trained, tmp_path, place, words):
    (tmp_path / "link").symlink_to(tmp_path / "data" / "images", target_is_directory=True)
    before, out = content(tmp_path), tmp_path / place
    choice = ExportChoice(overwrite=True)
    for write in (
        lambda: trained.export("masks", out, choice=choice),
        lambda: trained.predictions.export_model(out, overwrite=True),
        lambda: trained.predictions.predict_folder(tmp_path / "data" / "images", out),
    ):
        with pytest.raises(BadInputError, match=words):
            write()
    assert content(tmp_path) == before


def test_a_relative_folder_is_meant_from_here(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "data" / "images")
    with pytest.raises(BadInputError, match="lies in a folder"):
        trained.predictions.predict_folder(tmp_path / "data" / "images", Path("said"))


def test_images_to_predict_are_no_place_for_predictions(trained, pool, tmp_path):
    (tmp_path / "new").mkdir()
    (pool / "images" / "img0.png").rename(tmp_path / "new" / "img0.png")
    for out in ("new", "new/said"):
        with pytest.raises(BadInputError, match="the folder of the images to predict"):
            trained.predictions.predict_folder(tmp_path / "new", tmp_path / out)


def test_a_data_set_of_another_program_is_set_aside_and_not_deleted(trained, tmp_path):
    """nnU-Net and MONAI have a dataset.json too."""
    theirs = tmp_path / "nnunet"
    theirs.mkdir()
    (theirs / "dataset.json").write_text(json.dumps({"channel_names": {"0": "R"}}))
    (theirs / "case.png").write_bytes(b"years of work")
    for _ in range(2):  # the second time it is ours, and replaced
        trained.export("masks", theirs, choice=ExportChoice(overwrite=True))
    (aside,) = tmp_path.glob("nnunet-set-aside-*")
    assert (aside / "case.png").read_bytes() == b"years of work"
