import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from napari_active_seg.calibration import ProbabilityScores, ReliabilityBins
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED


def example(seed=0, c=3, shape=(17, 13), unlabelled=0.2):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(c, 0.5), shape).transpose(2, 0, 1)
    target = rng.integers(0, c, shape).astype(np.uint8)
    target[rng.random(shape) < unlabelled] = UNLABELLED
    return probs, target


def slow_ece(probs, target, k):
    """Expected calibration error pixel by pixel, bins (lo, hi] with 0 in the first."""
    bins = [[0, 0.0, 0] for _ in range(k)]
    for y in range(target.shape[0]):
        for x in range(target.shape[1]):
            if target[y, x] == UNLABELLED:
                continue
            confidence = float(probs[:, y, x].max())
            index = max(i for i in range(k) if i == 0 or confidence > i / k)
            bins[index][0] += 1
            bins[index][1] += confidence
            bins[index][2] += int(probs[:, y, x].argmax() == target[y, x])
    total = sum(b[0] for b in bins)
    return sum(abs(b[2] - b[1]) for b in bins) / total


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([1, 5, 10, 16]))
def test_ece_equals_the_slow_loop(seed, c, k):
    probs, target = example(seed, c)
    bins = ReliabilityBins.empty(k).add(probs, target)
    assert bins.expected_calibration_error == pytest.approx(slow_ece(probs, target, k), abs=1e-12)


def test_confidence_exactly_one_and_bin_edges_land_in_real_bins():
    probs = np.array([[1.0, 0.5, 0.6], [0.0, 0.5, 0.4]])[:, None, :]
    bins = ReliabilityBins.empty(10).add(probs, np.zeros((1, 3), np.uint8))
    assert bins.counts.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    assert bins.counts.sum() == 3
    assert np.isnan(bins.accuracy[0])
    assert bins.accuracy[9] == 1.0


def test_zero_confidence_lands_in_the_first_bin():
    probs = np.zeros((2, 1, 1))
    assert ReliabilityBins.empty(4).add(probs, np.zeros((1, 1), np.uint8)).counts[0] == 1


def test_pieces_add_up_to_the_whole():
    probs, target = example(2, shape=(40, 10))
    whole = ReliabilityBins.empty().add(probs, target)
    top = ReliabilityBins.empty().add(probs[:, :15], target[:15])
    both = top + ReliabilityBins.empty().add(probs[:, 15:], target[15:])
    assert (whole.counts == both.counts).all()
    assert both.expected_calibration_error == pytest.approx(whole.expected_calibration_error)


def test_counts_go_on_past_what_float32_can_count():
    full = 2**24
    bins = ReliabilityBins.empty(2)
    bins = ReliabilityBins(bins.counts + full, bins.confidence_sums, bins.hits)
    added = bins.add(np.array([0.9, 0.1])[:, None, None], np.zeros((1, 1), np.uint8))
    assert added.counts[1] == full + 1


def test_nll_and_brier_equal_sklearn_and_the_definition():
    probs, target = example(4)
    scores = ProbabilityScores().add(probs, target)
    known = target != UNLABELLED
    p, y = probs[:, known].T, target[known]
    assert scores.n == known.sum()
    assert scores.nll == pytest.approx(log_loss(y, p, labels=[0, 1, 2]))
    brier = np.mean(
        [((row - np.eye(3)[label]) ** 2).sum() for row, label in zip(p, y, strict=True)]
    )
    assert scores.brier == pytest.approx(brier, abs=1e-12)


def test_a_probability_rounded_to_zero_costs_much_but_not_everything():
    probs = np.array([1.0, 0.0], np.float32)[:, None, None]
    scores = ProbabilityScores().add(probs, np.ones((1, 1), np.uint8))
    assert 80 < scores.nll < 100
    assert scores.brier == 2


def test_nothing_labelled_is_not_a_perfect_score():
    probs, _ = example()
    nothing = np.full(probs.shape[1:], UNLABELLED, np.uint8)
    assert np.isnan(ReliabilityBins.empty().add(probs, nothing).expected_calibration_error)
    assert np.isnan(ProbabilityScores().add(probs, nothing).nll)


def test_unlike_shapes_and_no_bins_are_refused():
    probs, target = example()
    with pytest.raises(BadInputError):
        ReliabilityBins.empty().add(probs, target[1:])
    with pytest.raises(BadInputError):
        ProbabilityScores().add(probs, target[1:])
    with pytest.raises(BadInputError):
        ReliabilityBins.empty(0)
