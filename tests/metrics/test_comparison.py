import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_active_seg.metrics import compared


def scores(values):
    return {f"img{i}": float(v) for i, v in enumerate(values)}


@given(st.integers(0, 10_000), st.integers(3, 30))
def test_limits_are_students_of_paired_differences(seed, count):
    rng = np.random.default_rng(seed)
    old, new = rng.random((2, count))
    found = compared(scores(new), scores(old))
    limits = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert found.change == pytest.approx((new - old).mean())
    assert found.n_images == count


def test_clear_drop_is_worse_and_a_small_one_is_noise():
    rng = np.random.default_rng(0)
    old = rng.uniform(0.6, 0.9, 20)
    noise = rng.normal(0, 0.02, 20)
    worse = compared(scores(old - 0.05 + noise), scores(old))
    assert worse.is_worse and not worse.is_better
    assert worse.words.startswith("worse: Dice -0.0") and "20 validation images" in worse.words
    same = compared(scores(old + noise - noise.mean()), scores(old))
    assert not same.is_worse and not same.is_better
    assert same.words.startswith("no clear change")
    better = compared(scores(old + 0.05 + noise), scores(old))
    assert better.is_better and better.words.startswith("better")
    # Certain, yet too little to matter: another seed does as much.
    assert not compared(scores(old - 0.002), scores(old)).is_worse


def test_one_or_two_images_need_a_clear_drop():
    assert not compared({"a": 0.80}, {"a": 0.82}).is_worse
    assert compared({"a": 0.70}, {"a": 0.82}).is_worse
    assert "1 validation image" in compared({"a": 0.70}, {"a": 0.82}).words
    assert compared({"a": 0.7, "b": 0.9}, {"a": 0.69, "b": 0.8}).is_better


def test_nothing_in_common_tells_nothing():
    assert compared({}, {"a": 0.5}) is None
    assert compared({"a": 0.5}, {"b": 0.5}) is None
    assert compared({"a": float("nan")}, {"a": 0.5}) is None
