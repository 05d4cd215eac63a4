import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_active_seg.metrics import compare


def scores(values):
    return {f"img{i}": float(v) for i, v in enumerate(values)}


@given(st.integers(0, 10_000), st.integers(3, 30))
def test_limits_are_students_of_paired_differences(seed, count):
    rng = np.random.default_rng(seed)
    old, new = rng.random((2, count))
    found = compare(scores(new), scores(old))
    limits = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert found.change == pytest.approx((new - old).mean())
    assert found.n_images == count


def test_clear_drop_is_worse_and_a_small_one_is_noise():
    rng = np.random.default_rng(0)
    old = rng.uniform(0.6, 0.9, 20)
    noise = rng.normal(0, 0.02, 20)
    worse = compare(scores(old - 0.05 + noise), scores(old))
    assert worse.is_worse and not worse.is_better
    assert worse.summary.startswith("Worse: Dice 0.") and "20 images)" in worse.summary
    same = compare(scores(old + noise - noise.mean()), scores(old))
    assert not same.is_worse and not same.is_better
    assert same.summary.startswith("No clear change: Dice ")
    better = compare(scores(old + 0.05 + noise), scores(old))
    assert better.is_better and better.summary.startswith("Better")
    # Certain, yet too little to matter: another seed does as much.
    assert not compare(scores(old - 0.002), scores(old)).is_worse


def test_one_or_two_images_need_a_clear_drop():
    assert not compare({"a": 0.80}, {"a": 0.82}).is_worse
    assert compare({"a": 0.70}, {"a": 0.82}).is_worse
    assert "1 image, too few" in compare({"a": 0.70}, {"a": 0.82}).summary
    assert compare({"a": 0.7, "b": 0.9}, {"a": 0.69, "b": 0.8}).is_better


def test_nothing_in_common_tells_nothing():
    assert compare({}, {"a": 0.5}) is None
    assert compare({"a": 0.5}, {"b": 0.5}) is None
    assert compare({"a": float("nan")}, {"a": 0.5}) is None


dice = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(dice, dice), min_size=1, max_size=30))
def test_model_with_the_higher_mean_is_preferred_whether_clearly_better_or_not(pairs):
    new, old = np.array(pairs).T
    found = compare(scores(new), scores(old))
    assert found.new == pytest.approx(new.mean()) and found.old == pytest.approx(old.mean())
    if abs(new.mean() - old.mean()) > 1e-8:
        assert found.prefers_new == (new.mean() > old.mean())
    assert not (found.is_worse and found.prefers_new)
    assert not (found.is_better and not found.prefers_new)
    back = compare(scores(old), scores(new))  # one of the two is preferred, never neither
    assert found.prefers_new or back.prefers_new
    assert (back.is_worse, back.is_better) == (found.is_better, found.is_worse)


@given(st.lists(dice, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_equal_scores_go_to_the_newer_model(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)  # as good on average, though in another order
    assert compare(scores(shuffled), scores(values)).prefers_new


def test_summary_gives_both_scores_limits_and_how_many_images():
    old = np.linspace(0.65, 0.85, 12)
    change = np.where(np.arange(12) % 2, 0.06, -0.15)
    found = compare(scores(old + change), scores(old))
    assert not found.is_worse and not found.prefers_new  # 0.045 lower, though not clearly
    assert found.summary == (
        f"No clear change: Dice 0.705 vs 0.750 (-0.045, 95 % CI {found.low:+.3f}..."
        f"{found.high:+.3f}, 12 images)"
    )


@pytest.mark.parametrize(("count", "is_weak"), [(1, True), (2, True), (4, True), (5, False)])
def test_comparison_on_few_images_is_called_weak(count, is_weak):
    found = compare(scores(np.full(count, 0.5)), scores(np.linspace(0.4, 0.7, count)))
    assert ("too few for a strong comparison" in found.summary) == found.is_weak == is_weak
    assert ("95 % CI" in found.summary) == (count >= 3)  # fewer have no interval
