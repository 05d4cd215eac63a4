import shutil

import pytest
from fakes import FakeSegmenters
from tiny_data import write_pool

from napari_active_seg.errors import BadInputError
from napari_active_seg.figures import Report
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.session import Session
from napari_active_seg.studies import ArmSettings, StudySettings, arms_for, simulate
from napari_active_seg.studies.arm import arm_folder
from napari_active_seg.studies.compare import compare_runs, records_of
from napari_active_seg.studies.datasets import PreparedData
from napari_active_seg.studies.method_ranking import kind_of, kinds_by_area
from napari_active_seg.studies.segmentation import RoundRecord
from napari_active_seg.studies.segmentation.embedding_map import kept_map, load_embeddings
from napari_active_seg.studies.segmentation.prediction_grid import rows_of_predictions
from napari_active_seg.studies.segmentation.run_base import start_folder
from napari_active_seg.studies.segmentation.selection_summary import (
    CHOICE,
    Chosen,
    SelectionSummary,
)
from napari_active_seg.studies.simulate import write_study


def open_fake(folder):
    return Session(Project.open(folder), FakeSegmenters(), InlineRunner())


def quiet(*_):
    pass


@pytest.fixture
def ran(tmp_path):
    train, test = write_pool(tmp_path / "train", 6), write_pool(tmp_path / "test", 2, first=50)

    def run(name, **more):
        study = StudySettings.parse(
            name=name,
            data={
                "images": train / "images", "masks": train / "masks",
                "test_images": test / "images", "test_masks": test / "masks",
                "classes": ("background", "object"),
            },
            settings={"samples": 3}, reference=False,
            **{
                "start": {"images": 1}, "batch": "1", "rounds": 2,
                "arms": arms_for(["random-images", "core-set-images"]),
            } | more,
        )  # fmt: skip
        simulate(study, tmp_path / name, open_fake, on_progress=quiet)
        return tmp_path / name

    return run


def test_runs_and_projects_are_laid_side_by_side(ran):
    one, two = ran("one", seeds=(0, 1)), ran("two", seeds=(1, 2))
    compared = compare_runs([one, two], score="mean_dice")
    names = [row[0] for row in compared.rows]
    assert names == [
        f"{run}: {arm}" for run in ("one", "two") for arm in ("random-images", "core-set-images")
    ]
    assert "better in" in str(compared.rows[2][3])
    kinds = {(row[0], row[1]): row for row in compared.kinds}
    assert set(kinds) == {(run, kind) for run in ("one", "two") for kind in ("Random", "Batch")}
    assert kinds["one", "Batch"][2] == "core-set-images" and kinds["one", "Random"][5] == ""
    assert "better in" in str(kinds["two", "Batch"][5]) and "±" in str(kinds["two", "Batch"][3])
    project = one / "arms/random-images/seed-0/project"
    records = records_of(project)
    assert [r.labelled_pixels for r in records] == [96 * 128 * n for n in (1, 2, 3)]
    assert all("mean_dice" in r.scores for r in records)
    assert len(compare_runs([one, project], score="mean_dice").rows) == 3
    for run in (one, two):  # rounds that were kept are enough
        shutil.rmtree(run / "data")
    assert compare_runs([one, two], score="mean_dice").rows == compared.rows
    with pytest.raises(BadInputError, match="two runs"):
        compare_runs([one], score="mean_dice")
    with pytest.raises(BadInputError, match="'shine'"):
        compare_runs([one, two], score="shine")
    with pytest.raises(BadInputError, match="neither"):
        compare_runs([one, one / "arms"], score="mean_dice")


def test_runs_with_many_arms_have_a_picture_each(ran, monkeypatch):
    four = arms_for(["random-images", "core-set-images", "entropy-images", "even-images"])
    one, two = (ran(name, rounds=1, arms=four) for name in ("one", "two"))
    drawn = []
    monkeypatch.setattr(Report, "chart", lambda self, figure, caption: drawn.append(figure))
    compare_runs([one, two], score="mean_dice")
    assert [axes.get_title() for axes in drawn[0].axes] == ["one", "two"]
    for axes in drawn[0].axes:
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        assert names == [arm.name for arm in four]


def test_runs_that_end_where_others_begin_have_no_area_in_common(ran):
    early = ran("early", rounds=1)
    late = ran("late", rounds=1, start={"images": 2})
    compared = compare_runs([early, late], score="mean_dice")
    assert [row[1] for row in compared.rows] == ["none in common"] * 4


def test_predictions_and_the_map_of_the_pool_are_in_the_page(ran):
    out = ran("shown", shown=2, maps=True)
    page = (out / "report.html").read_text()
    assert "round by round" in page and "collapse" in page and "% new" not in page
    study = StudySettings.read(out / "study.json")
    ids, seen = load_embeddings(start_folder(study, out, study.arms[0], 0))
    assert kept_map(start_folder(study, out, study.arms[0], 0)).shape == (len(seen), 2)
    with Project.open(out / "arms/random-images/seed-0/project", read_only=True) as project:
        queue = project.regions.queue()
    run = Chosen.of(queue, ids, seen)
    assert [run.given.sum(), run.first.sum(), run.every.sum()] == [1, 1, 2]
    assert not (run.given & run.every).any() and (run.every >= run.first).all()
    assert SelectionSummary.read(out / "arms/random-images/seed-0") == SelectionSummary.of(run)
    assert SelectionSummary.read(out / "arms/random-images/seed-1") is None
    assert Chosen.of([one for one in queue if one.proposal is None], ids, seen) is None
    rows = rows_of_predictions(out / "arms/random-images/seed-0", PreparedData.open(out / "data"))
    assert rows.shape[1] > rows.shape[0]
    rounds = sorted(p.name for p in (out / "arms/random-images/seed-0/shown").iterdir())
    assert rounds == ["round-0", "round-1", "round-2"]
    assert rows_of_predictions(out, PreparedData.open(out / "data")) is None


def test_what_was_chosen_is_told_without_data_and_projects(ran):
    batches = {"maps": True, "batch": "2", "rounds": 1}
    out = ran("kept", **batches)
    study = StudySettings.read(out / "study.json")
    known = [SelectionSummary.read(arm_folder(out, arm, 0)) for arm in study.arms]
    assert all(len(one.first) == one.n_every == 2 for one in known)
    assert all(one.first_apart > 0 and one.new is None for one in known)
    told = (out / "report.md").read_text()
    assert "(seed 0)" in told
    projects = [*(out / "arms").rglob("project"), *(out / "starts").rglob("project")]
    for folder in (out / "data", *projects):
        shutil.rmtree(folder)
    write_study(study, out)
    numbers, pictures = told.split("\n\n## What was selected")
    assert (out / "report.md").read_text() == numbers + "\n"
    assert "figures/" not in pictures  # which need both


def test_choices_of_more_seeds_stand_beside_those_that_were_kept(ran):
    batches = {"maps": True, "batch": "2", "rounds": 1}
    out = ran("kept", **batches)
    first = {path: path.read_bytes() for path in out.rglob(CHOICE)}
    assert len(first) == 2
    for project in (out / "arms").rglob("project"):
        shutil.rmtree(project)
    ran("kept", seeds=(0, 1), **batches)
    assert {path: path.read_bytes() for path in first} == first
    told = (out / "report.md").read_text()
    assert "(seed 0)" in told and "| core-set-images | 2 ± 0 |" in told
    for path in first:
        path.unlink()
    study = StudySettings.read(out / "study.json")
    write_study(study, out)
    told = (out / "report.md").read_text()
    assert "(seed 1)" in told and "(seed 0)" not in told
    assert "| core-set-images | 2 (1 of 2) |" in told


def test_a_study_that_began_without_maps_goes_on_with_them(ran):
    ran("late", rounds=1)
    out = ran("late", rounds=2, maps=True)
    assert not list(out.rglob(CHOICE))  # its start did not look
    assert "collapse" not in (out / "report.md").read_text()


def test_kinds_are_compared_among_networks_alike():
    plain, dropout = {"preset": "unet:plain"}, {"preset": "unet"}
    arms = {
        "Random": ArmSettings(name="Random", strategy="random-images", settings=plain),
        "Entropy": ArmSettings(name="Entropy", strategy="max-entropy-images", settings=plain),
        "EqualAL": ArmSettings(name="EqualAL", strategy="equal-al-images", settings=plain),
        "Core-set-SSL": ArmSettings(
            name="Core-set-SSL", strategy="core-set-images",
            settings={**plain, "semi_supervised": "s4gan"},
        ),
        "BALD": ArmSettings(name="BALD", strategy="bald-images", settings=dropout),
    }  # fmt: skip
    study = StudySettings.parse(
        name="x", data={}, start={"images": 1}, arms=tuple(arms.values()), score="s"
    )
    kinds = [kind_of(study, arm) for arm in study.arms]
    assert kinds == ["Random", "Single", "Single", "Batch-SSL", "Single"]
    gains = {"Random": 0.1, "Entropy": 0.2, "EqualAL": 0.3, "Core-set-SSL": 0.25, "BALD": 0.9}
    records = [
        RoundRecord(name, 0, k, k, k, k, 0.1 * (k + 1), {"s": 0.5 + gain * k})
        for name, gain in gains.items()
        for k in range(2)
    ]
    found = kinds_by_area(study, records)
    assert [(one.kind, one.arm) for one in found] == [
        ("Single", "EqualAL"),
        ("Batch-SSL", "Core-set-SSL"),
        ("Random", "Random"),
    ]


def test_kinds_are_compared_at_equal_clicks_where_a_study_is_paid_in_clicks():
    arms = (
        ArmSettings(name="Random", strategy="random-images"),
        ArmSettings(name="Entropy", strategy="max-entropy-images"),
    )
    made = {"name": "x", "data": {}, "start": {"images": 1}, "arms": arms, "score": "s"}
    records = [
        RoundRecord(name, 0, k, k, k, k, 0.1 * (k + 1), {"s": score}, clicks=clicks)
        for name, points in (
            ("Random", [(10, 0.5), (20, 0.7)]),
            ("Entropy", [(10, 0.5), (60, 0.8)]),
        )
        for k, (clicks, score) in enumerate(points)
    ]
    pixels = kinds_by_area(StudySettings.parse(**made), records)
    clicks = kinds_by_area(StudySettings.parse(**made, axis="clicks"), records)
    assert [one.kind for one in pixels] == ["Single", "Random"]
    assert [one.kind for one in clicks] == ["Random", "Single"]
