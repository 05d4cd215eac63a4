"""Clicks against what polygons keep, on drawn masks with known outlines."""

import csv
import json

import numpy as np
import pytest
from tiny_data import write_pool
from typer.testing import CliRunner

from napari_active_seg.cli.main import app
from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.studies import polygon_study


def quiet(*_):
    return None


def test_a_square_takes_its_corners_at_any_tolerance_and_loses_nothing_to_speak_of():
    truth = np.zeros((60, 60), np.uint8)
    truth[10:50, 10:50] = 1
    points = polygon_study([("a", lambda: truth)], [1, 5], n_classes=2, on_image=quiet)
    assert [p.clicks for p in points] == [4, 4] or [p.clicks for p in points] == [8, 4]
    assert all(p.mean_jaccard > 0.99 for p in points)


def test_coarser_outlines_take_fewer_clicks_and_keep_less(tmp_path):
    pool = write_pool(tmp_path, 3)
    done = CliRunner().invoke(
        app,
        ["polygons", "--images", str(pool / "images"), "--masks", str(pool / "masks"),
         "--out", str(tmp_path / "out"), "--tolerances", "0.5,2,6", "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout.splitlines()[-1])
    clicks = [p["clicks_per_image"] for p in facts["points"]]
    kept = [p["mean_jaccard"] for p in facts["points"]]
    assert facts["images"] == 3
    assert clicks == sorted(clicks, reverse=True) and kept == sorted(kept, reverse=True)
    with (tmp_path / "out" / "polygons.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mean_jaccard"]) for row in rows] == kept
    assert "mean Jaccard" in (tmp_path / "out" / "polygons.html").read_text(encoding="utf-8")


def test_pixels_that_nobody_knows_do_not_count():
    truth = np.zeros((40, 40), np.uint8)
    truth[10:30, 10:30] = 1
    half = truth.copy()
    half[:, 20:] = 255
    whole, known = (
        polygon_study([("a", lambda t=t: t)], [1], n_classes=2, on_image=quiet)[0]
        for t in (truth, half)
    )
    assert known.mean_jaccard > 0.95 and whole.mean_jaccard > 0.95


def test_nothing_to_outline_is_refused():
    with pytest.raises(BadInputError, match="no mask"):
        polygon_study([], [1.0], n_classes=2, on_image=quiet)
    with pytest.raises(ConfigError, match="tolerances"):
        polygon_study(
            [("a", lambda: np.zeros((5, 5), np.uint8))], [0.0], n_classes=2, on_image=quiet
        )


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), 0.0])
def test_impossible_tolerances_are_refused(tolerance):
    truth = np.zeros((4, 5), np.uint8)
    with pytest.raises(ConfigError, match="tolerances must be above 0"):
        polygon_study([("a", lambda: truth)], [1, tolerance], n_classes=2, on_image=quiet)
