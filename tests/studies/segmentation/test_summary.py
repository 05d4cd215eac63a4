import math

import numpy as np
import pytest
from scipy import stats

from napari_active_seg.studies.seed_statistics import Spread, compare_pairs
from napari_active_seg.studies.segmentation import ALL_LABELS, RoundRecord
from napari_active_seg.studies.segmentation.summary import (
    area_at,
    costs_to_reach,
    least_common_budget,
    ratios_to_reach,
    reference_of,
    score_at,
    share_of,
)


def run(arm, seed, points, family="f"):
    return [
        RoundRecord(arm, seed, k, k, k, 0, share, {"s": score}, family=family)
        for k, (share, score) in enumerate(points)
    ]


def test_spread_is_mean_and_deviation_of_what_is_known():
    spread = Spread.over([1.0, None, 3.0])
    assert (spread.mean, spread.deviation, spread.n, spread.of) == (2, pytest.approx(2**0.5), 2, 3)
    assert spread.describe() == "2.0 ± 1.4 (2 of 3)"
    assert Spread.over([4.0]).describe(2) == "4.00"
    assert Spread.over([None]).describe() == "not reached"


def test_first_point_that_reaches_a_score_tells_its_cost():
    records = run("a", 0, [(0.1, 0.5), (0.2, 0.8), (0.3, 0.7)]) + run("a", 1, [(0.1, 0.5)])
    assert costs_to_reach(records, "a", score="s", level=0.7) == {0: pytest.approx(20), 1: None}


def test_a_curve_that_stands_still_ends_there():
    records = run("a", 0, [(0.1, 0.5), (0.1, 0.9)])
    assert costs_to_reach(records, "a", score="s", level=0.7) == {0: None}


def test_budgets_beyond_a_curve_are_not_made_up():
    records = run("a", 0, [(0.1, 0.5), (0.3, 0.7)]) + run("a", 1, [(0.1, 0.5), (0.2, 0.7)])
    assert least_common_budget(records) == 0.2
    assert score_at(records, "a", score="s", budget=0.25) == {0: pytest.approx(0.65), 1: None}
    area = area_at(records, "a", score="s", budget=0.2)
    assert area == {0: pytest.approx(100 * 0.1 * 0.55), 1: pytest.approx(100 * 0.1 * 0.6)}


def test_run_that_ended_before_another_began_has_no_area():
    records = run("short", 0, [(0.05, 0.5)], "f") + run("late", 0, [(0.1, 0.5), (0.2, 0.6)], "f")
    assert area_at(records, "short", score="s", budget=0.05) == {0: None}
    assert area_at(records, "late", score="s", budget=0.05) == {0: None}
    assert area_at(records, "late", score="s", budget=0.2) == {0: pytest.approx(100 * 0.1 * 0.55)}


def test_budgets_of_clicks_are_shares_of_what_all_labels_cost():
    def paid(arm, points):
        return [
            RoundRecord(arm, 0, k, k, k, 0, 0.01 * k, {"s": score}, clicks=clicks)
            for k, (clicks, score) in enumerate(points)
        ]

    runs = paid("a", [(10, 0.5), (30, 0.7)]) + paid("b", [(10, 0.5), (20, 0.6), (40, 0.6)])
    records = paid(ALL_LABELS, [(100, 0.9)]) + runs
    assert share_of(runs[1], records, "clicks") == pytest.approx(0.3)
    assert share_of(runs[1], records, "pixels") == 0.01
    assert least_common_budget(records, axis="clicks") == pytest.approx(0.3)
    found = score_at(records, "b", score="s", budget=0.15, axis="clicks")
    assert found == {0: pytest.approx(0.55)}
    area = area_at(records, "a", score="s", budget=0.3, axis="clicks")
    assert area == {0: pytest.approx(100 * 0.2 * 0.6)}
    assert share_of(runs[1], runs, "clicks") == 30 / 40  # nothing is known of all labels


def test_reference_is_that_of_the_same_networks():
    records = [
        *run(ALL_LABELS, 0, [(1.0, 0.9)], "f"),
        *run(ALL_LABELS, 1, [(1.0, 0.8)], "f"),
        *run(ALL_LABELS, 0, [(1.0, 0.1)], "dropout"),
        *run("a", 0, [(0.1, 0.5)], "f"),
    ]
    assert reference_of(records, "a", "s").mean == pytest.approx(0.85)


def test_pairs_are_students():
    rng = np.random.default_rng(0)
    one, other = rng.random(6), rng.random(6) - 0.2
    found = compare_pairs(dict(enumerate(one)), {**dict(enumerate(other)), 9: 1.0})
    expected = stats.ttest_rel(one, other)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.n == 6 and found.better == int((one > other).sum())
    assert compare_pairs({0: 1.0}, {1: 1.0}).summary == "no seed in common"
    assert math.isnan(compare_pairs({0: 1.0}, {0: 0.5}).p)
    same = compare_pairs({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0})
    assert (same.difference, same.p) == (0, 1)


def test_areas_begin_where_the_last_arm_begins():
    records = run("a", 0, [(0.1, 0.5), (0.3, 0.7)]) + run("b", 0, [(0.2, 0.6), (0.3, 0.6)])
    a = area_at(records, "a", score="s", budget=0.3)
    assert a == {0: pytest.approx(100 * 0.1 * 0.65)}  # from 0.2, where it stands at 0.6
    assert area_at(records, "b", score="s", budget=0.3) == {0: pytest.approx(100 * 0.1 * 0.6)}


def test_costs_are_divided_seed_by_seed():
    records = [
        *run("a", 0, [(0.1, 0.5), (0.2, 0.8)]),
        *run("a", 1, [(0.1, 0.5), (0.2, 0.6)]),
        *run("b", 0, [(0.1, 0.5), (0.4, 0.8)]),
        *run("b", 1, [(0.1, 0.5), (0.4, 0.8)]),
    ]
    assert ratios_to_reach(records, "a", "b", score="s", level=0.75) == {
        0: pytest.approx(0.5),
        1: None,
    }
