import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.calibration import OneVsRestBins, ProbabilityScores
from napari_active_seg.errors import BadInputError


def sample(seed, n_classes=3, shape=(20, 30), unlabelled=0.2):
    draws = np.random.default_rng(seed)
    probs = draws.dirichlet(np.full(n_classes, 0.5), shape).transpose(2, 0, 1)
    target = draws.integers(0, n_classes, shape).astype(np.uint8)
    target[draws.random(shape) < unlabelled] = 255
    return probs, target


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 20))
def test_parts_of_the_brier_score_add_up_whatever_the_bins(seed, n_classes, n_bins):
    probs, target = sample(seed, n_classes)
    bins = OneVsRestBins.empty(n_classes, n_bins).add(probs, target)
    score = ProbabilityScores().add(probs, target).brier
    assert bins.all_brier_parts.total == pytest.approx(score, abs=1e-12)
    labelled = target != 255
    for c in range(n_classes):
        own = (probs[c][labelled] - (target[labelled] == c)) ** 2
        assert bins.brier_parts(c).total == pytest.approx(own.mean(), abs=1e-12)


def test_within_bin_parts_vanish_where_a_bin_holds_one_value():
    values = np.array([0.1, 0.5, 0.9])
    draws = np.random.default_rng(0)
    p = values[draws.integers(0, 3, (40, 40))]
    target = (draws.random(p.shape) < p).astype(np.uint8)
    parts = OneVsRestBins.empty(2, 10).add(np.stack([1 - p, p]), target).brier_parts(1)
    assert parts.within_variance == pytest.approx(0, abs=1e-12)
    assert parts.within_covariance == pytest.approx(0, abs=1e-12)
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(parts.total)


def test_errors_are_those_of_a_loop_over_bins():
    probs, target = sample(5)
    bins = OneVsRestBins.empty(3, 7).add(probs, target)
    labelled = target != 255
    by_class = []
    for c in range(3):
        p, y = probs[c][labelled], target[labelled] == c
        error = 0.0
        for k in range(7):
            lo, hi = k / 7, (k + 1) / 7
            inside = (p <= hi) & ((p > lo) if k else (p >= lo))
            if inside.any():
                gap = abs(p[inside].mean() - y[inside].mean())
                error += inside.mean() * gap
        by_class.append(error)
    assert bins.class_wise_error == pytest.approx(np.mean(by_class), abs=1e-12)


def test_0_and_1_land_in_real_bins_and_order_does_not_matter():
    probs = np.array([[[0.0, 1.0, 1.0]], [[1.0, 0.0, 0.0]]])
    target = np.array([[1, 0, 255]], np.uint8)
    bins = OneVsRestBins.empty(2, 4).add(probs, target)
    assert bins.counts.tolist() == [[1, 0, 0, 1], [1, 0, 0, 1]]
    assert bins.class_wise_error == 0 and bins.all_brier_parts.total == 0
    one, two = sample(1), sample(2)
    first = OneVsRestBins.empty(3).add(*one).add(*two)
    second = OneVsRestBins.empty(3).add(*two) + OneVsRestBins.empty(3).add(*one)
    np.testing.assert_allclose(first.p_sums, second.p_sums)


def test_nothing_seen_is_nan_and_nonsense_is_refused():
    empty = OneVsRestBins.empty(2)
    assert np.isnan([empty.class_wise_error, empty.brier_parts(0).total]).all()
    with pytest.raises(BadInputError, match="do not match"):
        empty.add(np.ones((3, 2, 2)), np.zeros((2, 2), np.uint8))
    with pytest.raises(BadInputError, match="at least"):
        OneVsRestBins.empty(1)
