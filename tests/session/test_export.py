"""Exporting a project: what is chosen, under which names, and into a project again."""

import csv
import json

import numpy as np
import pytest
from fakes import FakeSegmenters
from tiny_data import write_pool
from tiny_project import add_regions, create, paint

from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError
from napari_active_seg.export import EXPORTERS
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.export import ExportChoice


@pytest.fixture
def pool(tmp_path):
    write_pool(tmp_path / "pool", 4)
    return tmp_path / "pool"


def session_of(folder):
    return Session(Project.open(folder), FakeSegmenters(), InlineRunner())


@pytest.fixture
def session(tmp_path, pool):
    with create(tmp_path / "made", pool) as project:
        done = {"state": RegionState.DONE}
        one, two = add_regions(project, [("img0.png", 0, 0), ("img0.png", 20, 20)], 1)
        paint(project, one, 1, **done)
        paint(project, two, 0, annotator="Bo", **done)
        three, four, five = add_regions(
            project, [("img1.png", 5, 5), ("img1.png", 40, 40), ("img2.png", 0, 0)], 2
        )
        paint(project, three, 1, **done)
        paint(project, three, 0, annotator="Bo", **done)
        paint(project, four, 1)
        project.regions.set_state(five, RegionState.SKIPPED, annotator="Bo")
    session = session_of(tmp_path / "made")
    yield session
    session.close()


def export(session, out, format_name="masks", **choice):
    return session.export(format_name, out, choice=ExportChoice(**choice))


def rows_of(out):
    with (out / "regions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_done_regions_with_who_when_and_how_long(session, tmp_path):
    done = export(session, tmp_path / "out", terms="CC-BY")
    assert (done.images, done.regions) == (2, 3)
    rows = rows_of(tmp_path / "out")
    assert [row["annotator"] for row in rows] == ["Anna", "Bo", "Bo"]
    assert [row["round"] for row in rows] == ["1", "1", "2"]
    assert {row["strategy"] for row in rows} == {"s"} and {r["config_hash"] for r in rows} == {
        "hash"
    }
    assert rows[2]["active_s"] == "4.0" and rows[2]["strokes"] == "2"  # of both who worked on it
    assert all(row["saved_at"].endswith("+00:00") for row in rows)
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["terms"] == "CC-BY"


def test_one_person_one_round_and_all_states(session, tmp_path):
    export(session, tmp_path / "anna", annotator="Anna")
    rows = rows_of(tmp_path / "anna")
    assert [r["annotator"] for r in rows] == ["Anna", "Anna"] and rows[1]["active_s"] == "2.0"
    export(session, tmp_path / "two", rounds=(2,))
    assert [r["round"] for r in rows_of(tmp_path / "two")] == ["2"]
    export(session, tmp_path / "all", states="all")
    assert sorted(r["state"] for r in rows_of(tmp_path / "all")) == [
        "done", "done", "done", "in_progress", "skipped",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"annotator": "Ana"}, "did you mean 'Anna'"),
        ({"states": "finished"}, "states must be done or all"),
        ({"cut": "tile"}, "did you mean 'tiles'"),
        ({"fill": "disc"}, "disk"),
    ],
)
def test_misspelt_choices_are_answered(session, tmp_path, choice, words):
    with pytest.raises(BadInputError, match=words) as caught:
        export(session, tmp_path / "out", **choice)
    assert isinstance(caught.value, BadInputError)
    assert not (tmp_path / "out").exists()


def test_nothing_to_export_says_what_to_do(session, tmp_path):
    with pytest.raises(NothingToDoError, match="--states all"):
        export(session, tmp_path / "out", rounds=(7,))


def test_pseudonyms_hide_names_and_the_key_lies_elsewhere(session, tmp_path):
    key = tmp_path / "key.csv"
    export(session, tmp_path / "out", pseudonyms=key, format_name="coco")
    text = "".join(
        p.read_text(encoding="utf-8", errors="ignore")
        for p in (tmp_path / "out").rglob("*")
        if p.suffix in (".csv", ".json", ".md")
    )
    assert "Anna" not in text and "img0" not in text and "annotator-0001" in text
    assert "annotator,annotator-0001,Anna" in key.read_text()
    with pytest.raises(ConfigError, match="exists already"):
        export(session, tmp_path / "again", pseudonyms=key)


@pytest.mark.parametrize("cut", ["images", "regions"])
@pytest.mark.parametrize("name", [n for n, e in EXPORTERS.items() if e.keeps_unlabelled])
def test_into_a_new_project_and_everything_is_the_same(session, tmp_path, pool, name, cut):
    export(session, tmp_path / "out", name, states="all", cut=cut)
    create(tmp_path / "new", pool).close()
    other = session_of(tmp_path / "new")
    try:
        for _ in range(2):  # a second time changes nothing
            other.labels.import_from(tmp_path / "out")
            assert content(other.project) == content(session.project)
    finally:
        other.close()


@pytest.mark.parametrize("cut", ["images", "regions", "tiles"])
def test_file_names_of_coco_are_files_of_the_export(session, tmp_path, cut):
    """Whole images came without pictures, and names left out the folder of the others."""
    out = tmp_path / "out"
    export(session, out, "coco", cut=cut)
    named = [
        out / row["file_name"]
        for path in (out / "annotations").iterdir()
        for row in json.loads(path.read_text())["images"]
    ]
    assert named and all(path.is_file() for path in named)
    export(session, tmp_path / "bare", "coco", cut=cut, pictures=False)
    assert not (tmp_path / "bare" / "images").exists()


def content(project):
    """Return all regions with their labels, as values to compare."""
    found = {}
    for queued in project.regions.queue():
        label = project.labels.latest(queued.id)
        found[queued.region] = (
            queued.state, queued.kind, queued.round, queued.information, queued.cost, queued.reason,
            None if label is None else (label.target.tobytes(), label.annotator, label.effort),
        )  # fmt: skip
    return found


def test_an_unlabelled_tile_is_not_written_unless_filled(session, tmp_path):
    from PIL import Image

    done = export(session, tmp_path / "tiles", cut="tiles", tile=32)
    assert 0 < done.pieces < 24
    export(session, tmp_path / "full", cut="tiles", tile=32, fill="background")
    masks = [np.asarray(Image.open(p)) for p in (tmp_path / "full" / "masks").rglob("*.png")]
    assert len(masks) == 24 and max(mask.max() for mask in masks) == 1
