import numpy as np
import pytest

from napari_active_seg.calibration import (
    DrawnUnits,
    SelectedAndRest,
    effective_size,
    is_balanced,
    lure_weights,
    weighted_mean,
    why_not_estimable,
)
from napari_active_seg.errors import NothingToDoError


def drawn(values, count, rng):
    """Draw without putting back in proportion to values, as a strategy does."""
    left = list(range(len(values)))
    taken, chances = [], []
    for _ in range(count):
        weights = values[left] / values[left].sum()
        pick = int(rng.choice(len(left), p=weights))
        chances.append(float(weights[pick]))
        taken.append(left.pop(pick))
    return taken, DrawnUnits(tuple(chances), tuple(len(values) - m for m in range(count)))


def test_weights_are_the_formula():
    units = DrawnUnits((0.2, 0.5, 0.1), (10, 9, 8))
    n, total = 10, 3
    by_hand = [
        1 + (n - total) / (n - m) * (1 / ((n - m + 1) * q) - 1)
        for m, q in zip((1, 2, 3), units.chances, strict=True)
    ]
    np.testing.assert_allclose(lure_weights(units), by_hand)


def test_even_draws_weigh_alike_and_all_drawn_is_the_mean():
    even = DrawnUnits(tuple(1 / (20 - m) for m in range(8)), tuple(20 - m for m in range(8)))
    np.testing.assert_allclose(lure_weights(even), 1)
    assert effective_size(lure_weights(even)) == pytest.approx(8)
    rng = np.random.default_rng(0)
    values = rng.random(6) + 0.1
    _, everything = drawn(values, 6, rng)
    np.testing.assert_allclose(lure_weights(everything), 1)


def test_estimates_from_chosen_units_are_right_on_average_and_plain_means_are_not():
    rng = np.random.default_rng(1)
    loss = rng.beta(1, 4, 60)
    values = loss + 0.05  # what is hard is what is asked for
    weighted, plain, held = [], [], 0
    for _ in range(3000):
        taken, units = drawn(values, 12, rng)
        mean, low, high = weighted_mean(loss[taken], lure_weights(units))
        weighted.append(mean)
        plain.append(loss[taken].mean())
        held += low <= loss.mean() <= high
    error = np.std(weighted) / np.sqrt(len(weighted))
    assert abs(np.mean(weighted) - loss.mean()) < 4 * error
    assert np.mean(plain) - loss.mean() > 20 * error
    assert 0.90 <= held / 3000 <= 0.999


@pytest.mark.parametrize(
    ("units", "word"),
    [
        (DrawnUnits((), ()), "nothing was drawn"),
        (DrawnUnits((0.5, None), (4, 3)), "chosen and not drawn"),
        (DrawnUnits((0.5, 0.5), (4, 3), n_impossible=1), "1 of 4 places had probability 0"),
        (DrawnUnits((0.5, 0.5), (4, 3), covered=0.7), "30 % of the pool had probability 0"),
        (DrawnUnits((0.5, 0.5), (4, 2)), "by a limit or a budget"),
        (DrawnUnits((0.5, 0.5), (4, 3), n_unanswered=1), "1 of 2 drawn regions carry no label"),
    ],
)
def test_no_estimate_is_given_where_a_unit_had_no_chance(units, word):
    assert word in why_not_estimable(units)
    with pytest.raises(NothingToDoError, match="no unbiased estimate"):
        lure_weights(units)


def test_weights_that_do_not_stand_for_the_pool_are_told_apart():
    even = lure_weights(DrawnUnits((1 / 9, 1 / 8, 1 / 7), (9, 8, 7)))
    assert is_balanced(even)
    # 3 of 100 units that were all but certain to be drawn say next to nothing of the others
    sharp = lure_weights(DrawnUnits((0.9, 0.9, 0.9), (100, 99, 98)))
    assert not is_balanced(sharp)


def test_limits_hold_where_they_are_given():
    rng = np.random.default_rng(3)
    held = []
    for _ in range(1500):
        loss = rng.beta(0.8, 4, 100)
        taken, units = drawn(np.clip(loss + rng.normal(0, 0.1, 100), 0.02, None) ** 2, 20, rng)
        weights = lure_weights(units)
        if is_balanced(weights):
            _, low, high = weighted_mean(loss[taken], weights)
            held.append(low <= loss.mean() <= high)
    assert len(held) > 200
    assert np.mean(held) > 0.85


def test_two_draws_carry_no_limits():
    mean, low, _ = weighted_mean([0.1, 0.3], np.ones(2))
    assert mean == pytest.approx(0.2)
    assert np.isnan(low)


def test_selected_and_rest_share_all_pixels():
    rng = np.random.default_rng(2)
    values, mask = rng.random((30, 40)), rng.random((30, 40)) < 0.3
    values[mask] = values[mask] ** 0.2  # what was selected is more uncertain
    bins = SelectedAndRest.empty(1.0, 20).add(values[:10], mask[:10]).add(values[10:], mask[10:])
    expected, _ = np.histogram(values[mask], bins.edges)
    assert bins.selected.tolist() == expected.tolist()
    assert (bins.selected + bins.rest).sum() == values.size
    chosen, others = bins.means
    assert chosen > others + 0.2
