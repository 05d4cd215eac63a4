"""A folder predicted into files: what cannot be read is named everywhere."""

import csv
import shutil

import pytest

from napari_active_seg.errors import ImageError


@pytest.fixture
def trained(session, pool):
    session.proposals.propose(count=3, size=32)
    session.labels.answer_from_masks(pool / "masks")
    session.train(preset="fast")
    return session


def predict_folder(session, images, out):
    return session.predictions.predict_folder(images, out)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def test_unreadable_files_are_left_out_and_named(trained, pool, tmp_path):
    """Files that the scan refuses, and one that breaks between scan and prediction."""
    images, out = tmp_path / "new", tmp_path / "out"
    shutil.copytree(pool / "images", images)
    (images / "text.png").write_text("no picture")
    whole = (images / "img0.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    done = predict_folder(trained, images, out)
    assert done.images == 4
    assert sorted(problem.split(": ")[0] for problem in done.problems) == ["cut.png", "text.png"]
    rows = rows_of(out / "images.csv")
    assert set(rows) == {"cut.png", "text.png", *(f"img{n}.png" for n in range(4))}
    for name in ("cut.png", "text.png"):
        assert rows[name].pop("problem") and not any(
            v for k, v in rows[name].items() if k != "image"
        )
    assert rows["img0.png"]["problem"] == "" and rows["img0.png"]["model"]
    shutil.copy(pool / "images" / "img1.png", images / "text.png")  # repaired, and run again
    again = predict_folder(trained, images, out)
    assert (again.images, again.before, len(again.problems)) == (5, 4, 1)
    assert rows_of(out / "images.csv")["text.png"]["problem"] == ""


def test_nothing_that_can_be_read_is_an_error(trained, pool, tmp_path, monkeypatch):
    from napari_active_seg.session.prediction import folder

    def broken(path, *, white):
        raise ImageError(f"{path.name} is damaged")

    monkeypatch.setattr(folder, "open_image", broken)  # after the scan
    with pytest.raises(ImageError, match=r"img0.png: img0.png is damaged"):
        predict_folder(trained, pool / "images", tmp_path / "out")
