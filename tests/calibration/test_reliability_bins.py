import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.calibration import FINE_BINS, ReliabilityBins, equal_mass_bins
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED


def maps(seed, shape=(60, 70), unlabelled=0.1):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.4, shape).astype(np.float32)
    target = (rng.random(shape) < 0.2 + 0.6 * p).astype(np.uint8)
    target[rng.random(shape) < unlabelled] = UNLABELLED
    return np.stack([1 - p, p]), target


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_bins", [1, 7, 10, 15, 200])
def test_edges_belong_to_the_bin_below_to_the_last_bit(dtype, n_bins):
    edges = np.linspace(0, 1, n_bins + 1).astype(dtype)
    around = np.concatenate([edges, np.nextafter(edges, dtype(2)), np.nextafter(edges, dtype(-1))])
    around = around[(around >= 0) & (around <= 1)]
    probs = np.stack([around, np.zeros_like(around)])[:, None]
    bins = ReliabilityBins.empty(n_bins).add(probs, np.zeros((1, len(around)), np.uint8))
    exact = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.searchsorted(exact, around.astype(float), side="left") - 1, 0, n_bins - 1)
    assert bins.counts.tolist() == np.bincount(place, minlength=n_bins).tolist()


def test_a_confidence_above_one_by_rounding_stays_in_the_last_bin():
    probs = np.array([[1.0000001], [0.0]], np.float32)[:, None]
    assert ReliabilityBins.empty(15).add(probs, np.zeros((1, 1), np.uint8)).counts[-1] == 1
    with pytest.raises(BadInputError, match="NaN"):
        ReliabilityBins.empty(15).add(probs * np.nan, np.zeros((1, 1), np.uint8))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.integers(2, 12))
def test_bins_of_equal_mass_hold_about_as_many_each(seed, k):
    probs, target = maps(seed)
    bins = equal_mass_bins(probs, target, k)
    total = int((target != UNLABELLED).sum())
    assert bins.counts.sum() == total
    assert bins.n_bins == k
    assert bins.counts.max() - bins.counts.min() <= 3
    labelled = target != UNLABELLED
    confidence = np.sort(probs.max(axis=0)[labelled].astype(float))
    assert bins.confidence_sums.sum() == pytest.approx(confidence.sum())
    assert bins.edges[0] == 0
    assert bins.edges[-1] == 1


def slow_equal_mass(probs, target, k):
    labelled = target != UNLABELLED
    confidence = probs.max(axis=0)[labelled].astype(float)
    hit = probs.argmax(axis=0)[labelled] == target[labelled]
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, k)
    return sum(abs(hit[p].sum() - confidence[p].sum()) for p in parts) / len(order)


def test_equal_mass_error_equals_sorting_and_splitting():
    probs, target = maps(1)
    exact = equal_mass_bins(probs, target, 10).expected_calibration_error
    assert exact == pytest.approx(slow_equal_mass(probs, target, 10), abs=2e-4)
    streamed = ReliabilityBins.empty(FINE_BINS)
    for rows in (slice(0, 25), slice(25, 60)):
        streamed = streamed.add(probs[:, rows], target[rows])
    merged = streamed.equal_mass(10)
    assert merged.expected_calibration_error == pytest.approx(exact, abs=1e-3)
    with pytest.raises(BadInputError, match="fine bins"):
        merged.add(probs, target)


def test_equal_confidences_stay_together():
    probs = np.full((2, 1, 100), 0.5, np.float32)
    probs[:, 0, 60:] = [[0.9], [0.1]]
    bins = equal_mass_bins(probs, np.zeros((1, 100), np.uint8), 4)
    assert bins.counts.tolist() == [60, 40]
    assert np.isnan(equal_mass_bins(probs, np.full((1, 100), 255, np.uint8)).accuracy).all()


def test_maximum_error_is_the_worst_bin():
    probs, target = maps(3)
    bins = ReliabilityBins.empty(10).add(probs, target)
    worst = np.nanmax(np.abs(bins.accuracy - bins.mean_confidence))
    assert bins.maximum_calibration_error == pytest.approx(worst)
    assert np.isnan(ReliabilityBins.empty(10).maximum_calibration_error)


def test_bins_of_several_images_are_scored_at_once():
    one, two = (ReliabilityBins.empty(10).add(*maps(seed)) for seed in (4, 5))
    both = ReliabilityBins(
        np.stack([one.counts, two.counts]),
        np.stack([one.confidence_sums, two.confidence_sums]),
        np.stack([one.hits, two.hits]),
    )
    found = both.expected_calibration_error
    assert found.tolist() == [one.expected_calibration_error, two.expected_calibration_error]


def test_the_error_is_exact_beyond_what_float32_counts():
    """A count in float32 stops at 2^24; here one bin holds more than twice that."""
    probs = np.full((2, 3000, 4000), 0.25, np.float32)
    probs[0] = 0.75
    target = np.zeros((3000, 4000), np.uint8)
    target[:, :1000] = 1
    bins = ReliabilityBins.empty(15)
    for _ in range(3):
        bins = bins.add(probs, target)
    assert bins.counts.max() == 36_000_000 > 2 * 2**24
    assert math.isclose(bins.expected_calibration_error, 0.0, abs_tol=1e-12)
