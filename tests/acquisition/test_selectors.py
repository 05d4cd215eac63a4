from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import candidate, rng
from scipy.stats import entropy

from napari_active_seg.acquisition import Budget, BudgetTracker, k_centre_greedy
from napari_active_seg.acquisition.batch_bald import BatchBald
from napari_active_seg.acquisition.k_centre import KCentre
from napari_active_seg.acquisition.selectors import (
    BatchBaldOrder,
    ClassBalanced,
    CoreSet,
    EvenlySpacedImages,
    ForegroundAwareRandom,
    GumbelTopK,
    RandomImage,
    Stratified,
    annealed_inverse_temperature,
    power_logits,
    softmax_logits,
)
from napari_active_seg.errors import BadInputError, ConfigError


def picked(order, n, count):
    left = np.ones(n, bool)
    found = []
    for _ in range(count):
        found.append(order.pick(left.copy()))
        left[found[-1]] = False
    return found


# --- k-centre ------------------------------------------------------------------------------------


def plain_k_centre(points, labelled, count):
    distance = np.full(len(points), np.inf)
    for centre in labelled:
        distance = np.minimum(distance, ((points - centre) ** 2).sum(axis=1))
    chosen = []
    for _ in range(count):
        index = int(distance.argmax())
        chosen.append(index)
        distance = np.minimum(distance, ((points - points[index]) ** 2).sum(axis=1))
        distance[index] = -1
    return chosen


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 8), st.integers(1, 5), st.integers(0, 9999))
def test_k_centre_is_the_plain_loop_over_distances(n, dimensions, n_labelled, seed):
    draws = np.random.default_rng(seed)
    points = draws.normal(size=(n, dimensions)).astype(np.float32)
    labelled = draws.normal(size=(n_labelled, dimensions)).astype(np.float32)
    count = min(n, 6)
    found = k_centre_greedy(points, labelled, count, rng())
    expected = plain_k_centre(points.astype(float), labelled.astype(float), count)
    radius = [_radius(points, labelled, chosen) for chosen in (found, expected)]
    assert radius[0] == pytest.approx(radius[1], rel=1e-4, abs=1e-5)
    assert len(set(found)) == count


def _radius(points, labelled, chosen):
    centres = np.concatenate([labelled, points[list(chosen)]]).astype(float)
    return np.sqrt(((points[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)).max()


def test_near_points_far_from_the_origin_are_told_apart():
    points = np.full((5, 64), 1000.0, np.float32)
    points[:, 0] += np.array([0, 0.01, 0.02, 0.03, 0.5], np.float32)
    assert k_centre_greedy(points, points[:1], 1, rng()) == (4,)
    assert 3 in k_centre_greedy(points, points[[0, 4]], 1, rng())


def test_exact_copies_are_each_chosen_once():
    points = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    found = k_centre_greedy(points, np.empty((0, 4), np.float32), 20, rng())
    assert sorted(found) == list(range(20))
    assert len({index // 5 for index in found[:4]}) == 4


def test_core_set_goes_on_from_what_is_labelled():
    points = np.array([[0.0], [1.0], [9.0], [10.0]], np.float32)
    assert picked(CoreSet(points, np.array([[9.5]], np.float32), rng()), 4, 2)[0] == 0
    assert picked(CoreSet(points, np.array([[0.5]], np.float32), rng()), 4, 1) == [3]


@pytest.mark.parametrize("bad", [np.ones((3, 2, 1)), np.full((3, 2), np.nan)])
def test_embeddings_that_make_no_sense_are_refused(bad):
    with pytest.raises(BadInputError, match="embeddings"):
        KCentre(bad, np.empty((0, 2)))
    with pytest.raises(BadInputError, match="allowed"):
        KCentre(np.ones((2, 2)), np.ones((1, 2))).find_furthest(np.zeros(2, bool), rng())


# --- BatchBALD -----------------------------------------------------------------------------------


def joint_information(samples, batch):
    """Mutual information of all labels of a batch and the weights, outcome by outcome."""
    n_passes, n_classes = samples.shape[1:]
    told = 0.0
    for outcome in product(range(n_classes), repeat=len(batch)):
        p = np.mean([np.prod([samples[i, t, c] for i, c in zip(batch, outcome, strict=True)])
                     for t in range(n_passes)])  # fmt: skip
        told -= p * np.log(p)
    own = sum(entropy(samples[i, t]) for i in batch for t in range(n_passes)) / n_passes
    return told - own


def test_batch_bald_is_the_joint_information_outcome_by_outcome():
    samples = rng(1).dirichlet([0.4] * 3, size=(7, 6))
    batch = BatchBald(samples, rng())
    chosen = []
    for _ in range(4):
        gains = batch.gains()
        index = int(np.argmax(np.where(np.isin(range(7), chosen), -np.inf, gains)))
        best = max(
            (i for i in range(7) if i not in chosen),
            key=lambda i: joint_information(samples, [*chosen, i]),
        )
        assert index == best
        batch.add(index)
        chosen.append(index)
        assert batch.total == pytest.approx(joint_information(samples, chosen), abs=1e-9)


def test_batch_bald_takes_no_copies_where_bald_would():
    sure_of_one = np.array([[0.99, 0.01], [0.01, 0.99]])
    other = np.array([[0.9, 0.1], [0.3, 0.7]])
    half = np.array([[0.95, 0.05], [0.95, 0.05], [0.05, 0.95], [0.05, 0.95]])
    crossed = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]])
    assert picked(BatchBaldOrder(np.stack([half, half, crossed]), rng()), 3, 2) == [0, 2]
    assert BatchBald(np.stack([sure_of_one, other]), rng()).gains()[0] > 0.5


def test_batch_bald_beyond_all_outcomes_is_an_estimate_of_the_same(monkeypatch):
    samples = rng(2).dirichlet([0.5] * 4, size=(8, 5))
    totals = []
    for outcomes in (500, 10**6):
        monkeypatch.setattr("napari_active_seg.acquisition.batch_bald._OUTCOMES", outcomes)
        batch = BatchBald(samples, rng(3))
        for index in range(6):
            batch.add(index)
        totals.append(batch.total)
    assert totals[0] == pytest.approx(totals[1], rel=0.1)
    assert totals[0] != totals[1]
    with pytest.raises(BadInputError, match="two passes"):
        BatchBald(samples[:, :1], rng())


# --- chance --------------------------------------------------------------------------------------


def firsts(logits, n):
    everything = np.ones(len(logits), bool)
    return [GumbelTopK(logits, rng(seed)).pick(everything) for seed in range(n)]


def test_power_draws_in_proportion_to_value_to_the_coldness_and_says_so():
    values = np.array([1.0, 2.0, 4.0, 0.0])
    everything = np.ones(4, bool)
    for inverse_temperature in (1.0, 2.0):
        logits = power_logits(values, inverse_temperature)
        expected = values**inverse_temperature / (values**inverse_temperature).sum()
        shares = np.bincount(firsts(logits, 4000), minlength=4) / 4000
        np.testing.assert_allclose(shares, expected, atol=0.03)
        order = GumbelTopK(logits, rng())
        told = [order.selection_probability(index, everything) for index in range(4)]
        np.testing.assert_allclose(told, expected)
        rest = np.array([True, False, True, True])
        assert order.selection_probability(0, rest) == pytest.approx(
            1 / (1 + 4**inverse_temperature)
        )
    assert np.bincount(firsts(power_logits(values, 0.0), 2000)).min() > 400


def test_softmax_draws_in_proportion_to_e_to_the_value():
    values = np.array([0.0, 1.0, 2.0])
    shares = np.bincount(firsts(softmax_logits(values, 2.0), 4000)) / 4000
    np.testing.assert_allclose(shares, np.exp(values) / np.exp(values).sum(), atol=0.03)
    assert softmax_logits(np.zeros(3), 1.0).shape == (3,)


def test_what_has_no_chance_comes_last_and_is_still_taken():
    order = GumbelTopK(np.array([-np.inf, 3.0, -np.inf]), rng())
    assert picked(order, 3, 3)[0] == 1
    assert order.selection_probability(0, np.array([True, False, True])) is None


def test_chances_of_an_image_and_its_place_are_multiplied():
    places = [candidate("a", y=9 * j) for j in range(4)] + [candidate("b")]
    everything = np.ones(5, bool)
    any_place = RandomImage(places, rng(), best=False)
    assert (
        any_place.selection_probability(0, everything) == 1 / 8
        and any_place.selection_probability(4, everything) == 1 / 2
    )
    assert RandomImage(places, rng(), best=True).selection_probability(0, everything) == 1 / 2
    assert EvenlySpacedImages(places, 2).selection_probability(0, everything) is None


def test_noise_of_clasp_is_annealed_from_1_to_100():
    assert annealed_inverse_temperature(1) == 1
    assert (
        annealed_inverse_temperature(10) == annealed_inverse_temperature(50) == pytest.approx(100)
    )
    assert annealed_inverse_temperature(4) < annealed_inverse_temperature(5)


def test_stratified_gives_two_thirds_to_classes_in_turn():
    rows = [((0.9, 0.0), 0.9)] * 20 + [((0.0, 0.1), 0.1)] * 20
    places = [candidate(y=9 * i, value=v, class_values=c) for i, (c, v) in enumerate(rows)]
    found = picked(Stratified(places, 100.0, rng()), 40, 9)
    assert sum(index >= 20 for index in found) == 3  # half of the six that go by class


def test_classes_take_turns_the_rarest_first():
    places = [candidate(y=9 * i, probs=(0.9, 0.1)) for i in range(6)]
    places += [candidate("b", y=9 * i, probs=(0.2, 0.8)) for i in range(2)]
    assert picked(ClassBalanced(places), 8, 6) == [6, 0, 7, 1, 2, 3]


def test_images_are_taken_at_even_steps_and_then_the_others():
    places = [candidate(f"i{k}", y=9 * j) for k in range(6) for j in range(2)]
    assert picked(EvenlySpacedImages(places, 3), 12, 4) == [0, 4, 8, 2]


@pytest.mark.parametrize("best", [True, False])
def test_an_image_is_drawn_before_its_place(best):
    places = [candidate("many", y=9 * j, value=9 - j) for j in range(9)]
    places += [candidate("one", value=0.1)]
    firsts = [picked(RandomImage(places, rng(s), best=best), 10, 1)[0] for s in range(300)]
    assert 110 < sum(index == 9 for index in firsts) < 190
    assert (set(firsts) == {0, 9}) is best


def test_two_of_three_places_are_foreground():
    places = [candidate(y=9 * i, probs=(0.1, 0.9) if i < 10 else (0.9, 0.1)) for i in range(60)]
    found = picked(ForegroundAwareRandom(places, rng()), 60, 9)
    assert sum(index < 10 for index in found) >= 6


# --- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("8", 8, "regions"),
        ("10min", 10, "minutes"),
        ("2.5 minutes", 2.5, "minutes"),
        ("50,000px", 50000, "pixels"),
        ("300clicks", 300, "clicks"),
    ],
)
def test_budgets_are_read_from_words(text, amount, unit):
    assert Budget.parse(text) == Budget(amount, unit)


@pytest.mark.parametrize("text", ["", "0", "ten", "5 hours", "-3", "2.5", "1.2.3min"])
def test_budgets_without_sense_are_refused(text):
    with pytest.raises(ConfigError, match="budget"):
        Budget.parse(text)


def test_a_budget_is_never_exceeded_and_what_fits_is_still_taken():
    ledger = BudgetTracker(Budget(100, "pixels"))
    dear, cheap = candidate(side=11), candidate(side=8)
    assert ledger.allowed([dear, cheap], np.ones(2, bool)).tolist() == [False, True]
    ledger.take(cheap)
    assert ledger.spent.pixels == 64
    assert not ledger.allowed([dear, candidate("b")], np.ones(2, bool)).any()


def test_overlapping_places_are_paid_once():
    ledger = BudgetTracker(Budget(100, "pixels"), overlap=True)
    ledger.take(candidate(side=8))
    beside = candidate(y=0, x=4, side=8)
    assert ledger.allowed([beside], np.ones(1, bool)).all()
    ledger.take(beside)
    assert ledger.spent.pixels == 64 + 32


def test_limits_hold_for_images_and_for_patients():
    places = [candidate(f"i{k % 4}", y=9 * k, patient=f"p{k % 2}") for k in range(20)]
    for limits, wanted in (({"per_image": 2}, 8), ({"per_patient": 3}, 6)):
        ledger = BudgetTracker(Budget(99), **limits)
        left = np.ones(20, bool)
        while ledger.allowed(places, left).any():
            index = int(np.argmax(ledger.allowed(places, left)))
            left[index] = False
            ledger.take(places[index])
        assert ledger.spent.regions == wanted


def test_spending_is_told_in_words():
    ledger = BudgetTracker(Budget(10, "minutes"))
    for k in range(2):
        ledger.take(candidate(y=9 * k, seconds=30.0, clicks=4.0))
    assert ledger.spent.summary == "2 regions, 128 pixels, 8 clicks, about 60 s"
    assert ledger.budget.less(ledger.spent) == 9


def test_greedy_by_value_within_a_budget_is_what_a_loop_says():
    draws = rng(5)
    places = [
        candidate(y=9 * k, value=float(v), seconds=float(s))
        for k, (v, s) in enumerate(zip(draws.random(30), draws.random(30) * 50, strict=True))
    ]
    places.sort(key=lambda c: -c.value)
    ledger, left, found = BudgetTracker(Budget(3, "minutes")), np.ones(30, bool), []
    while (allowed := ledger.allowed(places, left)).any():
        index = int(np.argmax(allowed))
        left[index] = False
        ledger.take(places[index])
        found.append(places[index])
    spent, expected = 0.0, []
    for place in places:
        if spent + place.seconds <= 180:
            expected.append(place)
            spent += place.seconds
    assert found == expected
    assert not any(one.place.overlaps(two.place) for one, two in combinations(found, 2))
