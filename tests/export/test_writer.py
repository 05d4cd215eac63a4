"""The folder around the format: whole or not at all, gone on with, counted and signed."""

import csv
import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from tiny_export import SCHEMA, data_set, labelled, random_target, row, written

from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError, StoppedError
from napari_active_seg.export import EXPORTERS, build_folder, get_exporter
from napari_active_seg.regions import Region


def images(n=3):
    return [labelled(f"{k}.png", random_target((20, 30), k)) for k in range(n)]


def test_masks_carry_the_palette_and_an_overlay(tmp_path):
    target = random_target((9, 7), 0)
    written(data_set([labelled("ÿ 1.jpg", target)]), "masks", tmp_path / "out")
    picture = Image.open(tmp_path / "out" / "masks" / "pool" / "ÿ 1.png")
    assert picture.mode == "P" and (np.asarray(picture) == target).all()
    assert picture.getpalette()[3:6] == [int(SCHEMA.colours[1][i : i + 2], 16) for i in (1, 3, 5)]
    overlay = np.asarray(Image.open(tmp_path / "out" / "overlays" / "pool" / "ÿ 1.png"))
    unlabelled = overlay[target == 255].astype(int)
    assert (unlabelled[:, 0] == unlabelled[:, 1]).all()  # grey


@pytest.mark.parametrize("name", list(EXPORTERS))
def test_a_stopped_export_leaves_no_folder_and_goes_on(name, tmp_path):
    pool = [labelled(f"{k}.png", random_target((20, 30), k, unlabelled=False)) for k in range(3)]
    out, seen = tmp_path / "out", []

    def stop(number, _total, _name):
        seen.append(number)
        if number == 2:
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        written(data_set(pool), name, out, on_piece=stop)
    assert not out.exists()
    early = {p.name: p.stat().st_mtime_ns for p in (tmp_path / ".out.partial").rglob("*.png")}
    written(data_set(pool), name, out)
    late = {p.name: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    assert early.items() <= late.items()  # what was there was not made again
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert not [p for p in out.rglob("*") if p.name.startswith(".")]
    fresh = written(data_set(pool), name, tmp_path / "fresh")
    assert {p.relative_to(fresh.out) for p in fresh.files} == {
        p.relative_to(out) for p in out.rglob("*") if p.is_file()
    }


def test_other_labels_do_not_go_on_with_what_was_stopped(tmp_path):
    def stop(number, _total, _name):
        if number == 2:
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        written(data_set(images()), "masks", tmp_path / "out", on_piece=stop)
    other = [labelled(f"{k}.png", np.ones((20, 30), np.uint8)) for k in range(3)]
    from napari_active_seg.export import write_data_set

    write_data_set(
        data_set(other), get_exporter("masks"), tmp_path / "out", stamp="other",
        on_piece=lambda *_: None,
    )  # fmt: skip
    assert (np.asarray(Image.open(tmp_path / "out" / "masks" / "pool" / "0.png")) == 1).all()


def test_folder_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(BadInputError, match="not empty"):
        written(data_set(images()), "masks", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["keep.txt"]


def test_overwriting_replaces_an_export_and_sets_anything_else_aside(tmp_path):
    out = tmp_path / "out"
    written(data_set(images(1)), "masks", out)
    written(data_set(images(2)), "tiff", out, overwrite=True)
    assert (out / "labels").is_dir() and not (out / "masks").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    written(data_set(images(1)), "masks", theirs, overwrite=True)
    aside = [p for p in tmp_path.iterdir() if p.name.startswith("theirs-set-aside")]
    assert (aside[0] / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_is_told_and_gone_on_with(tmp_path):
    def fill_the_disk():
        with build_folder(tmp_path / "out", request="a") as folder:
            folder.text("a.txt", "a")
            raise OSError(28, "No space left on device")

    with pytest.raises(BadInputError, match="command again to resume"):
        fill_the_disk()
    with build_folder(tmp_path / "out", request="a") as folder:
        assert (folder.path / "a.txt").read_text() == "a"
    assert (tmp_path / "out" / "a.txt").is_file()


def test_the_card_counts_and_the_checksums_hold(tmp_path):
    target = np.full((10, 10), 255, np.uint8)
    target[:4] = 0
    target[4:6] = 1
    data = data_set([labelled("a.png", target), labelled("b.png", target, split="audit")])
    out = written(data, "masks", tmp_path / "out").out
    card = json.loads((out / "dataset.json").read_text())
    assert [c["pixels"] for c in card["classes"]] == [80, 40]
    assert card["classes"][1]["share_of_labelled"] == pytest.approx(1 / 3)
    assert card["not_labelled"] == {"value": 255, "pixels": 80}
    assert card["counts"]["by_split"] == {"audit": 1, "pool": 1}
    lines = (out / "checksums.sha256").read_text().splitlines()
    named = {line.partition("  ")[2]: line.partition("  ")[0] for line in lines}
    there = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert set(named) == there - {"checksums.sha256"}
    for name, digest in named.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert "not background" in (out / "README.md").read_text()


def test_provenance_is_the_same_in_csv_and_parquet(tmp_path):
    import pyarrow.parquet as pq

    region = Region("a.png", 1, 2, 3, 4)
    rows = (
        row(region, region="r0", round=2, strategy="clasp", model="m001", active_s=1.5,
            saved_at="2026-11-22T10:00:00.250+00:00", draw_probability=0.5),
        row(region, region="r1"),
    )  # fmt: skip
    out = written(data_set(images(1), rows=rows), "masks", tmp_path / "out").out
    with (out / "regions.csv").open(newline="") as file:
        told = list(csv.DictReader(file))
    table = pq.read_table(out / "regions.parquet").to_pylist()
    assert [r["region"] for r in told] == [r["region"] for r in table] == ["r0", "r1"]
    assert float(told[0]["active_s"]) == table[0]["active_s"] == 1.5
    assert table[0]["saved_at"].isoformat() == "2026-11-22T10:00:00.250000+00:00"
    assert table[1]["saved_at"] is None and table[1]["draw_probability"] is None


def test_formats_without_an_unlabelled_value_leave_out_or_fill(tmp_path):
    half = random_target((20, 30), 1)
    whole = np.zeros((20, 30), np.uint8)
    pool = [labelled("half.png", half), labelled("whole.png", whole)]
    done = written(data_set(pool), "yolo", tmp_path / "a")
    assert (done.pieces, done.left_out) == (1, ("half",))
    assert "half" in (done.out / "README.md").read_text()
    with pytest.raises(NothingToDoError, match="--fill"):
        written(data_set(pool[:1]), "yolo", tmp_path / "b")
    filled = written(data_set(pool, fill=0), "yolo", tmp_path / "c")
    assert filled.pieces == 2
    assert "as requested" in (filled.out / "README.md").read_text()


def test_names_that_differ_in_case_suffix_or_folder_stay_apart(tmp_path):
    names = ["a.png", "a.tif", "A.bmp", "b/a.png", "b_a.png", "ä.png", "日本.png", "日 本.png"]
    pool = [labelled(n, np.full((6, 6), k % 2, np.uint8)) for k, n in enumerate(names)]
    for format_name in EXPORTERS:
        done = written(data_set(pool), format_name, tmp_path / format_name)
        card = json.loads((done.out / "dataset.json").read_text())
        own = [tuple(sorted(p["files"].items())) for p in card["pieces"]]
        assert len(set(own)) == len(names)
        assert len({str(o).casefold() for o in own}) == len(names)


def test_tiles_cover_an_image_and_overlap_as_asked():
    whole = [labelled("a.png", np.zeros((100, 70), np.uint8))]
    pieces = data_set(whole, cut="tiles", tile=40, overlap=10).pieces
    assert sorted({p.region.y for p in pieces}) == [0, 30, 60]
    assert sorted({p.region.x for p in pieces}) == [0, 30]
    assert {p.shape for p in pieces} == {(40, 40)}
    with pytest.raises(ConfigError, match="overlap"):
        data_set(whole, cut="tiles", tile=40, overlap=40)


def test_unknown_formats_list_the_known():
    with pytest.raises(ConfigError, match="did you mean 'coco'"):
        get_exporter("cocoa")


def test_a_writer_of_ones_own_is_found_by_its_entry_point(monkeypatch, tmp_path):
    from importlib.metadata import EntryPoint

    from napari_active_seg.export import formats

    point = EntryPoint("counts", "own_writer:Counts", "napari_active_seg.exporters")
    (tmp_path / "own_writer.py").write_text(
        "class Counts:\n"
        "    name, title, summary, keeps_unlabelled = 'counts', 'Counts', 'a count', True\n"
        "    def write(self, data, folder, on_piece):\n"
        "        folder.text('count.txt', str(len(data.pieces)))\n"
        "        return {}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(formats, "entry_points", lambda group: [point])
    assert "counts" in formats.exporter_titles()
    done = written(data_set(images(2)), "counts", tmp_path / "out")
    assert (done.out / "count.txt").read_text() == "2"
