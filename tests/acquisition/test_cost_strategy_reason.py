import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import rng
from sklearn.linear_model import Ridge as SklearnRidge

from napari_active_seg.acquisition import (
    COSTS,
    DIVERSITIES,
    DRAWS,
    STRATEGIES,
    UNITS,
    ClassMaps,
    CostExample,
    CostModel,
    CostView,
    Quota,
    Strategy,
    control_due,
    cost_features,
    fit_learned_cost,
    get_strategy,
    group_sequences,
    measure_redundancy,
    reason_for_cost,
    reason_for_drawn,
    reason_for_likeness,
    reason_for_uncertain,
    recommend,
    required_sample_size,
    similarity,
    validation_due,
    value_per_cost,
)
from napari_active_seg.acquisition.evaluation_quota import EvaluationQuotas
from napari_active_seg.acquisition.learned_cost import FEATURES, Ridge
from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.uncertainty import MomentStream

# --- cost ----------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.floats(0.1, 1e4))
def test_beta_zero_is_the_plain_order_exactly(information, cost):
    values = np.array(information)
    assert (value_per_cost(values, cost, alpha=1.0, beta=0.0) == values).all()


def test_value_is_information_to_alpha_over_cost_to_beta():
    found = value_per_cost(np.array([0.0, 0.3]), 4.0, alpha=2.0, beta=0.5)
    np.testing.assert_allclose(found, [0.0, 0.09 / 2])
    each = value_per_cost(np.array([1.0, 1.0]), np.array([4.0, 16.0]), alpha=1.0, beta=0.5)
    np.testing.assert_allclose(each, [0.5, 0.25])


def test_cost_grows_with_area_and_free_work_is_refused():
    nothing = ClassMaps(lambda: np.zeros((128, 128), np.uint8))
    small, large = (
        MaskedRegion(Region("a", 0, 0, 64, 64)),
        MaskedRegion(Region("a", 0, 0, 128, 128)),
    )
    cost = CostModel()
    assert 3 < cost.of(small, nothing) < cost.of(large, nothing) == pytest.approx(12)
    with pytest.raises(ConfigError):
        CostModel("area", 0.0, 0.0)
    with pytest.raises(ConfigError):
        value_per_cost(np.ones(1), 0.0, alpha=1, beta=1)


# --- learned cost --------------------------------------------------------------------------------


def view(n_disks, seed=0, side=64):
    draws = np.random.default_rng(seed)
    classes = np.zeros((side, side), np.uint8)
    for _ in range(n_disks):
        y, x = draws.integers(8, side - 8, 2)
        classes[y - 5 : y + 5, x - 5 : x + 5] = 1
    image = np.where(classes[..., None] > 0, 90, 220) + draws.integers(0, 20, (side, side, 3))
    return CostView(image.astype(np.uint8), classes, np.ones((side, side), bool))


def boundary(classes):
    return ClassMaps(lambda: classes).boundary.sum()


def examples(n, noise=0.1):
    """Regions that take longer the more there is in them, and a little by chance."""
    draws = rng(7)
    found = []
    for k in range(n):
        seen = view(k % 8, seed=k)
        seconds = 4 + 0.1 * boundary(seen.classes)
        found.append(CostExample(seen, float(seconds * np.exp(draws.normal(0, noise)))))
    return found


def prior(views):
    return np.array([12.0] * len(views))


def test_below_ten_regions_the_prior_is_told_and_called_a_guess():
    learned = fit_learned_cost(examples(9), prior)
    assert (learned.how, learned.n_examples, learned.error) == ("guess", 9, None)
    assert learned.of([view(3)]).tolist() == [12.0]
    assert learned.summary.startswith("seconds are a guess: 9 of 10")
    assert learned.of([]).shape == (0,)


def test_from_ten_regions_a_regression_beats_the_mean_and_tells_its_error():
    known, unseen = examples(25), examples(60)[40:]
    learned = fit_learned_cost(known, prior)
    assert learned.how == "regression" and "regression, off by" in learned.summary
    took = np.array([e.spent for e in unseen])
    error = np.abs(learned.of([e.view for e in unseen]) - took).mean()
    flat = np.abs(np.mean([e.spent for e in known]) - took).mean()
    assert error < 0.5 * flat
    assert learned.error == pytest.approx(error, rel=0.6)


def test_leaving_one_out_in_closed_form_is_leaving_one_out():
    draws = rng(3)
    x = draws.normal(size=(14, 4))
    y = x @ [1.0, -2.0, 0.5, 0.0] + draws.normal(0, 0.3, 14)
    ridge = Ridge(x, y)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    errors = {}
    for penalty in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0):
        kept = [np.arange(14) != k for k in range(14)]
        told = [
            SklearnRidge(penalty).fit(standard[rows], y[rows]).predict(standard[~rows])[0]
            for rows in kept
        ]
        errors[penalty] = (float(np.abs(told - y).mean()), told)
    least = min(errors.values())
    assert ridge.error == pytest.approx(least[0], rel=0.02)
    np.testing.assert_allclose(ridge.left_out, least[1], atol=0.05)
    with pytest.raises(BadInputError, match="3 examples"):
        Ridge(x[:2], y[:2])


def test_a_person_who_gets_faster_is_followed():
    slow = examples(20, noise=0.0)
    fast = [CostExample(e.view, e.spent / 2) for e in examples(40, noise=0.0)[20:29]]
    learned = fit_learned_cost([*slow, *fast], prior)
    assert learned.bias < 0.85 and f"corrected by {learned.bias:.2f}" in learned.summary


def test_from_thirty_regions_or_when_asked_for_the_network_learns():
    asked = []

    def network(known):
        asked.append(len(known))
        return prior, np.array([e.spent for e in known])

    assert fit_learned_cost(examples(29), prior, network=network).how == "regression"
    assert fit_learned_cost(examples(30), prior, network=network).how == "network"
    first = fit_learned_cost(examples(3), prior, network=network, network_from=3)
    assert first.how == "network" and first.error == pytest.approx(0, abs=1e-9)
    assert asked == [30, 3]
    assert fit_learned_cost(examples(2), prior, network=network, network_from=3).how == "guess"
    with pytest.raises(BadInputError, match="more than 0"):
        fit_learned_cost([CostExample(view(1), 0.0)], prior)


def test_features_are_counted_within_the_shape_alone():
    whole = view(6, seed=2)
    half = CostView(whole.image, whole.classes, np.tri(64, dtype=bool))
    a, b = (dict(zip(FEATURES, cost_features(v), strict=True)) for v in (whole, half))
    assert len(a) == len(FEATURES)
    assert b["log pixels"] < a["log pixels"] and np.isfinite(list(b.values())).all()


# --- strategies ----------------------------------------------------------------------------------


def test_strategies_are_found_by_name_and_changed_by_word():
    strategy = get_strategy("uncertain-regions").with_changes(measure="entropy", size=64)
    assert (strategy.measure, strategy.size, strategy.step) == ("entropy", 64, 16)
    faithful = get_strategy("faithful-regions").with_changes(default_size=64)
    assert (faithful.size, faithful.step, faithful.overlap) == (150, 30, True)
    assert get_strategy("random-regions").with_changes(default_size=64).size == 64
    assert get_strategy("uncertain-regions").with_changes().measure == "bald"
    assert get_strategy("entropy-images").with_changes(measure=None).measure == "entropy"
    words = strategy.with_parsed_changes(
        {"unit": "crops", "per_image": "2", "beta": "0.5", "overlap": "yes"}
    )
    assert (words.unit, words.per_image, words.beta, words.overlap) == ("crops", 2, 0.5, True)
    with pytest.raises(ConfigError, match="did you mean 'random-regions'"):
        get_strategy("random-region")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"unit": "hexagons"}, "no unit 'hexagons'"),
        ({"beta": "much"}, "beta is a number"),
        ({"per_image": "1.5"}, "whole number"),
        ({"overlap": "perhaps"}, "yes or no"),
        ({"colour": "red"}, "no part 'colour'"),
        ({"name": "x"}, "no part 'name'"),
        ({"size": "0"}, "got 0"),
        ({"stride": "0"}, "got 0"),
        ({"share": "0"}, "share"),
        ({"control": "0.9"}, "control"),
        ({"cost": "gold"}, "no cost 'gold'"),
        ({"diversity": "core"}, "did you mean 'core-set'"),
    ],
)
def test_senseless_changes_are_refused(words, said):
    with pytest.raises(ConfigError, match=said):
        get_strategy("uncertain-regions").with_parsed_changes(words)


@pytest.mark.parametrize("bad", [{"measure": "x"}, {"size": 4}, {"stride": -1}, {"beta": -0.1}])
def test_senseless_strategies_are_refused(bad):
    with pytest.raises(ConfigError):
        Strategy("s", **bad)


def test_every_part_is_used_by_a_strategy_with_a_name():
    used = STRATEGIES.values()
    assert {s.unit for s in used} == set(UNITS)
    assert {s.diversity for s in used} == set(DIVERSITIES)
    assert {s.draws for s in used} == set(DRAWS)
    assert all(model.name == name for name, model in COSTS.items())


# --- drawn shares --------------------------------------------------------------------------------


def test_what_small_rounds_owe_in_controls_adds_up():
    drawn = chosen = 0
    by_round = []
    for _ in range(10):
        due = control_due(0.1, chosen, drawn, count=4)
        by_round.append(due)
        drawn, chosen = drawn + due, chosen + 4
    assert by_round == [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]
    assert control_due(0.0, 100, 0, count=8) == 0
    assert control_due(0.5, 100, 0, count=1) == 0  # something is chosen always


def test_validation_gets_one_a_round_until_there_are_enough():
    assert validation_due(0.1, 0, Quota(0, 10), count=4) == 1
    assert validation_due(0.1, 40, Quota(1, 10), count=20) == 5
    assert validation_due(0.1, 400, Quota(9, 10), count=20) == 1
    assert validation_due(0.1, 400, Quota(10, 10), count=20) == 0
    assert validation_due(0.1, 0, Quota(0, 10, possible=False), count=20) == 0
    assert validation_due(0.0, 0, Quota(0, 10), count=20) == 0
    assert validation_due(0.1, 4, Quota(0, 10, waiting=1), count=4) == 0
    assert validation_due(0.1, 36, Quota(0, 10, waiting=1), count=4) == 3
    assert validation_due(0.1, 400, Quota(5, 10, waiting=5), count=20) == 0


def test_how_many_are_needed_follows_the_spread():
    assert required_sample_size([]) == 25
    assert required_sample_size([0.9, 0.91, 0.9, 0.92, 0.9]) == 10
    assert required_sample_size([0.1, 0.9, 0.2, 0.8, 0.5]) > 25
    spread = [0.6, 0.7, 0.75, 0.8, 0.9]
    assert required_sample_size(spread, half_width=0.05) == np.ceil(
        (1.96 * np.std(spread, ddof=1) / 0.05) ** 2
    )
    plan = EvaluationQuotas(Quota(2, 25), Quota(30, 25), Quota(0, 25, possible=False))
    assert (
        plan.summary
        == "labelled for an unbiased score: 2 of 25 control regions, 30 validation regions (enough)"
    )
    without = EvaluationQuotas(
        Quota(0, 25), Quota(0, 25, possible=False), Quota(0, 25, possible=False)
    )
    assert "cannot be compared" in without.summary


# --- the guide -----------------------------------------------------------------------------------


def test_copies_are_redundant_and_scattered_points_are_not():
    draws = rng(1)
    scattered = draws.normal(size=(100, 20))
    copies = np.repeat(draws.normal(size=(20, 20)), 5, axis=0) + draws.normal(0, 0.01, (100, 20))
    stretched = scattered * np.linspace(0.1, 50, 20)
    assert measure_redundancy(scattered, rng()) < 0.15
    assert measure_redundancy(stretched, rng()) < 0.15
    assert measure_redundancy(copies, rng()) > 0.8
    assert measure_redundancy(np.ones((20, 4)), rng()) == 1.0
    with pytest.raises(BadInputError, match="places"):
        measure_redundancy(scattered[:5], rng())
    with pytest.raises(BadInputError, match="NaN"):
        measure_redundancy(np.full((20, 4), np.nan), rng())


def test_images_that_follow_each_other_are_alike_or_not():
    draws = rng(1)
    scattered = draws.normal(size=(60, 20)) * np.linspace(0.1, 50, 20)
    copies = np.repeat(scattered[:12], 5, axis=0) + draws.normal(0, 0.1, (60, 20))
    assert similarity(scattered, rng()) < 0.1
    assert similarity(copies, rng()) > 0.9
    assert similarity(copies[draws.permutation(60)], rng()) < 0.2
    assert similarity(np.ones((20, 4)), rng()) == 1.0
    with pytest.raises(BadInputError, match="runs"):
        similarity(scattered[:15], rng())
    with pytest.raises(BadInputError, match="NaN"):
        similarity(np.full((20, 4), np.nan), rng())


def test_runs_follow_numbers_in_names_and_hold_no_name_twice():
    names = [f"frame{k}.png" for k in range(23)]
    runs = group_sequences(names[::-1], most=100, rng=rng())
    assert runs == tuple(tuple(names[5 * k : 5 * k + 5]) for k in range(4))
    few = group_sequences(names, most=12, rng=rng())
    assert len(few) == 2 and set(few) < set(runs)
    assert group_sequences(names[:4], most=100, rng=rng()) == ()


def test_a_pool_of_copies_is_redundant_whatever_its_places_say():
    assert recommend(0.3, 0.2, n_places=50, likeness=0.4).strategy == "diverse-regions"
    assert recommend(0.3, 0.2, n_places=50, likeness=0.1).strategy == "uncertain-regions"
    assert recommend(0.6, 0.2, n_places=50, likeness=0.0).strategy == "diverse-regions"


@pytest.mark.parametrize(
    ("redundancy", "covered", "strategy", "unlabelled"),
    [
        (0.1, 0.01, "random-regions", "consistency"),
        (0.1, 0.20, "uncertain-regions", "consistency"),
        (0.8, 0.01, "diverse-regions", "off"),
        (0.8, 0.20, "diverse-regions", "consistency"),
    ],
)
def test_the_guide_is_the_table_of_the_study(redundancy, covered, strategy, unlabelled):
    advice = recommend(redundancy, covered, n_places=50)
    assert (advice.strategy, advice.unlabelled) == (strategy, unlabelled)
    assert advice.summary.count(". ") == 1 and strategy in advice.summary
    assert f"{redundancy:.2f}" in advice.summary


# --- reasons -------------------------------------------------------------------------------------


def moments(probs):
    stream = MomentStream()
    for p in probs:
        stream.add(np.broadcast_to(np.array(p)[:, None, None], (len(p), 20, 20)))
    return stream.moments()


def test_reason_names_the_two_classes_and_whether_passes_disagree():
    place, names = MaskedRegion(Region("a", 4, 4, 8, 8)), ("stroma", "tumour", "other")
    agreeing = reason_for_uncertain(moments([[0.47, 0.52, 0.01]] * 3), place, names)
    assert agreeing.startswith("tumour 0.52 against stroma 0.47")
    assert "agree that it is unclear" in agreeing
    split = reason_for_uncertain(moments([[0.9, 0.1, 0], [0.1, 0.9, 0]]), place, names)
    assert "samples disagree" in split
    assert "BALD" not in reason_for_uncertain(moments([[0.4, 0.6, 0]]), place, names)


def test_reason_of_a_polygon_looks_at_its_pixels_alone():
    stream = MomentStream()
    probs = np.zeros((2, 20, 20))
    probs[0] = 0.5
    probs[0][np.tri(20, dtype=bool)] = 0.9
    probs[1] = 1 - probs[0]
    stream.add(probs)
    place = MaskedRegion.of_mask("a", np.tri(20, dtype=bool))
    assert "0.90 against" in reason_for_uncertain(stream.moments(), place, ("a", "b"))


def test_reason_of_a_draw_says_from_how_many_places_and_why():
    said = reason_for_drawn(1234, why="a fair sample")
    assert said.endswith("1,234 places over tissue: a fair sample")


def test_reason_tells_how_unlike_anything_labelled_a_place_is():
    labelled = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert "unlike anything labelled (" in reason_for_likeness(np.array([6.0, 6.0]), labelled)
    assert reason_for_likeness(np.array([0.5, 0.5]), labelled).startswith("like what is labelled")
    assert reason_for_likeness(np.array([0.5, 0.5]), labelled[:2]) == ""
    assert reason_for_likeness(np.ones(2), np.ones((5, 2))) == ""


def test_reason_of_cost_says_whether_it_is_a_guess():
    assert reason_for_cost(12.4, guess=True) == "about 12 s, a guess"
    assert reason_for_cost(12.4, guess=False) == "about 12 s"
    assert reason_for_cost(12.4, guess=False, error=3.1) == "about 12 s, give or take 3 s"
