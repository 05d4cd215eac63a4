import numpy as np
import pytest

from napari_active_seg.calibration import ErrorsByUncertainty
from napari_active_seg.errors import BadInputError


def sample(seed=0, shape=(60, 70), knows=1.0):
    draws = np.random.default_rng(seed)
    uncertainty = draws.random(shape)
    chance = knows * uncertainty * 0.6 + (1 - knows) * 0.3
    target = draws.integers(0, 2, shape).astype(np.uint8)
    predicted = np.where(draws.random(shape) < chance, 1 - target, target).astype(np.uint8)
    target[draws.random(shape) < 0.2] = 255
    return uncertainty.astype(np.float32), predicted, target


def exact_curve(uncertainty, predicted, target):
    """Error rate of the n surest pixels, for every n, by sorting."""
    labelled = target != 255
    order = np.argsort(uncertainty[labelled], kind="stable")
    wrong = (predicted != target)[labelled][order]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def test_curve_and_area_are_those_of_sorting():
    maps = sample()
    rates = exact_curve(*maps)
    found = ErrorsByUncertainty.empty(1.0).add(*maps)
    aside, left = found.curve()
    assert aside[0] == 0 and left[0] == pytest.approx(rates[-1]) == found.error_rate
    for share in (0.1, 0.5, 0.8):
        n = round((1 - share) * len(rates))
        assert np.interp(share, aside, left) == pytest.approx(rates[n - 1], abs=0.01)
    assert found.area == pytest.approx(rates[::-1].mean(), abs=0.003)


def test_an_uncertainty_that_knows_nothing_leaves_the_error_rate():
    blind = ErrorsByUncertainty.empty(1.0).add(*sample(knows=0.0, shape=(300, 300)))
    assert blind.area == pytest.approx(blind.error_rate, abs=0.02)
    knowing = ErrorsByUncertainty.empty(1.0).add(*sample(shape=(300, 300)))
    assert knowing.area_of_oracle < knowing.area < 0.75 * knowing.error_rate


def test_area_of_the_oracle_is_that_of_putting_errors_aside_first():
    _, predicted, target = sample(shape=(200, 200))
    oracle = (predicted != target).astype(np.float32)
    labelled = target != 255
    kept = np.arange(1, labelled.sum() + 1)
    n_right = (predicted == target)[labelled].sum()
    exact = (np.maximum(kept - n_right, 0) / kept).mean()
    found = ErrorsByUncertainty.empty(1.0).add(oracle, predicted, target)
    assert found.area_of_oracle == pytest.approx(exact, abs=1e-3)


def test_rates_by_share_are_those_of_sorted_pixels():
    uncertainty, predicted, target = sample(shape=(200, 200))
    labelled = target != 255
    order = np.argsort(uncertainty[labelled])
    wrong = (predicted != target)[labelled][order]
    expected = [part.mean() for part in np.array_split(wrong, 10)]
    found = ErrorsByUncertainty.empty(1.0).add(uncertainty, predicted, target)
    np.testing.assert_allclose(found.rates_by_share(), expected, atol=0.01)
    assert found.rates_by_share()[0] < 0.1 < found.rates_by_share()[-1]


def test_bins_add_up_in_any_order_and_refuse_what_does_not_fit():
    one, two = sample(1), sample(2)
    empty = ErrorsByUncertainty.empty(1.0)
    together = empty.add(*one) + empty.add(*two)
    assert (together.errors == empty.add(*two).add(*one).errors).all()
    assert together.n_pixels == sum(int((m[2] != 255).sum()) for m in (one, two))
    with pytest.raises(BadInputError, match="do not add up"):
        together + ErrorsByUncertainty.empty(2.0)
    with pytest.raises(BadInputError, match="unlike shapes"):
        empty.add(one[0][:5], *one[1:])
    with pytest.raises(BadInputError, match="NaN"):
        empty.add(one[0] * np.nan, *one[1:])
    with pytest.raises(BadInputError, match="bound"):
        ErrorsByUncertainty.empty(float("inf"))
    assert np.isnan([empty.area, empty.error_rate, *empty.rates_by_share()]).all()
    assert len(empty.curve()[0]) == 0


def test_the_least_certain_tenth_holds_the_errors_that_uncertainty_finds():
    rng = np.random.default_rng(5)
    values = rng.permutation(10_000).reshape(100, 100) / 10_000
    target = np.zeros((100, 100), np.uint8)
    knowing = (values > 0.95).astype(np.uint8)  # wrong where least certain
    found = ErrorsByUncertainty.empty(1.0, 10_000).add(values, knowing, target)
    assert found.share_found(0.1) == pytest.approx(1)
    assert found.share_found(0.025) == pytest.approx(0.5, abs=0.01)
    blind = (rng.random((100, 100)) < 0.2).astype(np.uint8)
    assert ErrorsByUncertainty.empty(1.0).add(values, blind, target).share_found() == pytest.approx(
        0.1, abs=0.03
    )
    assert np.isnan(ErrorsByUncertainty.empty(1.0).add(values, target, target).share_found())
