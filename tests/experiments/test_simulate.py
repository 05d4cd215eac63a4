import csv
import json

import pytest
from fakes import FakeSegmenters
from tiny_data import write_pool

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.experiments import SimulationSettings, simulate
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.session import Session


def open_fake(folder):
    return Session(Project.open(folder), FakeSegmenters(), InlineRunner())


@pytest.fixture
def settings(tmp_path):
    train = write_pool(tmp_path / "train", 3)
    test = write_pool(tmp_path / "test", 2, first=50)

    def make(out="out", **more):
        given = {"size": 24, "start": 3, "count": 2, "rounds": 2, **more}
        return SimulationSettings(
            images=train / "images",
            masks=train / "masks",
            test_images=test / "images",
            test_masks=test / "masks",
            out=tmp_path / out,
            **given,
        )

    return make


def test_curve_counts_labels_and_measures_every_round(settings):
    told = []
    arm = settings()
    points = simulate(arm, open_fake, on_round=lambda *now: told.append(now))
    assert [p.regions for p in points] == [3, 5, 7]
    assert [p.labelled_pixels for p in points] == [n * 24 * 24 for n in (3, 5, 7)]
    assert points[0].labelled_share == pytest.approx(3 * 576 / (3 * 96 * 128))
    assert all(p.scores["mean_dice"] > 0.8 for p in points)
    assert len(told) == 3
    with (arm.out / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["mean_dice"]) for r in rows] == [p.scores["mean_dice"] for p in points]
    results = json.loads((arm.out / "results.json").read_text())
    assert results["settings"]["strategy"] == "uncertain-regions"


def test_a_baseline_is_run_beside_from_the_same_start(settings):
    arm = settings(beside="foreground-regions", rounds=1)
    points = simulate(arm, open_fake, on_round=lambda *a: None)
    assert [(p.strategy, p.round) for p in points] == [
        ("uncertain-regions", 0),
        ("uncertain-regions", 1),
        ("foreground-regions", 0),
        ("foreground-regions", 1),
    ]
    assert points[0].scores == points[2].scores and points[1].scores != points[3].scores
    whole = settings(
        "whole", strategy="whole-images", beside="foreground-regions", count=1, start=1
    )
    curve = simulate(whole, open_fake, on_round=lambda *a: None)
    assert [p.labelled_pixels // (96 * 128) for p in curve] == [1, 2, 3, 1, 2, 3]


def test_same_seed_gives_the_same_curve_and_another_seed_another(settings):
    runs = [
        simulate(settings(str(i), seed=seed), open_fake, on_round=lambda *a: None)
        for i, seed in enumerate((4, 4, 5))
    ]
    assert runs[0] == runs[1]
    assert [p.scores for p in runs[0]] != [p.scores for p in runs[2]]


def test_bad_studies_are_refused(settings, tmp_path):
    with pytest.raises(ConfigError, match="did you mean"):
        settings(strategy="random-region")
    with pytest.raises(ConfigError, match="rounds"):
        settings(rounds=-1)
    arm = settings()
    arm.out.mkdir()
    (arm.out / "x").write_text("")
    with pytest.raises(BadInputError, match="not empty"):
        simulate(arm, open_fake, on_round=lambda *a: None)
    (arm.test_masks / "img50.png").unlink()
    with pytest.raises(BadInputError, match="no mask"):
        simulate(settings("other"), open_fake, on_round=lambda *a: None)
