import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.acquisition import (
    PoolImage,
    draw_windows,
    most_valuable_windows,
    window_starts,
)
from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.regions import Region


def rng():
    return np.random.default_rng(0)


def image(values, name="a", **more):
    values = np.asarray(values, np.float32)
    return PoolImage(name, values.shape, uncertainty=values, **more)


def brute_force(pool, count, size, stride):
    """Every window by its plain mean; the best that overlaps none before, again and again."""
    windows = []
    for img in pool:
        h, w = min(size, img.shape[0]), min(size, img.shape[1])
        values = img.uncertainty.astype(float).copy()
        for region in img.taken:
            values[region.slices] = 0
        for y in window_starts(img.shape[0], size, stride):
            for x in window_starts(img.shape[1], size, stride):
                region = Region(img.image_id, int(y), int(x), h, w)
                if not any(region.overlaps(t) for t in img.taken):
                    windows.append((values[region.slices].mean(), region))
    chosen = []
    while windows and len(chosen) < count:
        best = max(windows, key=lambda item: item[0])
        chosen.append(best)
        windows = [w for w in windows if not w[1].overlaps(best[1])]
    return chosen


@settings(max_examples=60, deadline=None)
@given(
    st.integers(3, 24),
    st.integers(3, 24),
    st.integers(2, 9),
    st.integers(1, 5),
    st.integers(1, 8),
    st.integers(0, 10_000),
)
def test_choice_equals_brute_force_greedy(height, width, size, stride, count, seed):
    draws = np.random.default_rng(seed)
    taken = (Region("a", 0, 0, 2, 3),) if seed % 3 == 0 else ()
    pool = [
        image(draws.random((height, width)), "a", taken=taken),
        image(draws.random((9, 7)), "b"),
    ]
    found = most_valuable_windows(pool, count=count, size=size, stride=stride, rng=rng())
    expected = brute_force(pool, count, size, stride)
    np.testing.assert_allclose([p.information for p in found], [score for score, _ in expected])
    assert [p.region for p in found] == [region for _, region in expected]


def test_windows_of_one_round_never_overlap_and_never_touch_labels():
    draws = np.random.default_rng(3)
    taken = (Region("a", 20, 20, 30, 30),)
    pool = [image(draws.random((100, 120)), taken=taken)]
    found = [p.region for p in most_valuable_windows(pool, count=99, size=16, stride=3, rng=rng())]
    assert len(found) > 20
    everything = [*found, *taken]
    for i, one in enumerate(everything):
        assert not any(one.overlaps(other) for other in everything[i + 1 :])


def test_faithful_windows_may_overlap_within_a_round_but_labels_count_zero():
    values = np.zeros((60, 60))
    values[25:35, 25:35] = 1
    pool = [image(values, taken=(Region("a", 0, 0, 20, 20),))]
    found = most_valuable_windows(pool, count=3, size=20, stride=5, rng=rng(), overlap=True)
    assert found[0].region.overlaps(found[1].region)
    covered = [image(values, taken=(Region("a", 0, 0, 60, 60),))]
    assert most_valuable_windows(covered, count=3, size=20, stride=5, rng=rng(), overlap=True) == ()


def test_hot_last_row_and_column_are_reached_whatever_the_stride():
    values = np.zeros((53, 71))
    values[-1, -1] = 1
    (pick,) = most_valuable_windows([image(values)], count=1, size=16, stride=7, rng=rng())
    assert (pick.region.bottom, pick.region.right) == (53, 71)


def test_image_smaller_than_the_window_is_one_region():
    (pick,) = most_valuable_windows([image(np.ones((5, 9)))], count=4, size=16, stride=4, rng=rng())
    assert pick.region == Region("a", 0, 0, 5, 9)


def test_ties_are_drawn_over_all_places_and_images():
    pool = [image(np.full((64, 64), 0.25)), image(np.full((64, 64), 0.25), "b")]
    picks = [
        most_valuable_windows(pool, count=1, size=8, stride=1, rng=np.random.default_rng(s))[0]
        for s in range(200)
    ]
    assert 60 < sum(p.region.image_id == "a" for p in picks) < 140
    assert np.mean([p.region.y for p in picks]) == pytest.approx(28, abs=5)


def test_same_seed_gives_the_same_choice():
    pool = [image(np.full((64, 64), 0.5))]
    first = most_valuable_windows(pool, count=5, size=8, stride=2, rng=rng())
    assert first == most_valuable_windows(pool, count=5, size=8, stride=2, rng=rng())


def test_windows_without_tissue_are_left_out():
    tissue = np.zeros((64, 64), bool)
    tissue[:, 32:] = True
    pool = [image(np.ones((64, 64)), tissue=tissue)]
    found = most_valuable_windows(pool, count=50, size=16, stride=4, rng=rng())
    assert found
    assert all(tissue[p.region.slices].mean() >= 0.25 for p in found)


def test_costlier_windows_rank_lower_only_when_beta_asks():
    dear = image(np.full((16, 16), 0.6), "dear", cost_of_window=100.0)
    cheap = image(np.full((16, 16), 0.5), "cheap", cost_of_window=1.0)
    pool = [dear, cheap]
    plain = most_valuable_windows(pool, count=1, size=16, stride=4, rng=rng())
    weighed = most_valuable_windows(pool, count=1, size=16, stride=4, rng=rng(), beta=0.5)
    assert plain[0].region.image_id == "dear"
    assert weighed[0].region.image_id == "cheap"


def test_draws_are_uniform_and_say_how_many_places_there_were():
    pool = [PoolImage("a", (20, 30)), PoolImage("b", (20, 10))]
    picks = [
        draw_windows(pool, count=1, size=8, rng=np.random.default_rng(s))[0] for s in range(800)
    ]
    places = 13 * 23 + 13 * 3
    assert {p.drawn_from for p in picks} == {places}
    share = np.mean([p.region.image_id == "a" for p in picks])
    assert share == pytest.approx(13 * 23 / places, abs=0.04)


def test_draws_do_not_overlap_each_other_or_labels():
    pool = [PoolImage("a", (40, 40), taken=(Region("a", 0, 0, 20, 20),))]
    found = [p.region for p in draw_windows(pool, count=30, size=10, rng=rng())]
    assert len(found) >= 4
    for i, one in enumerate(found):
        assert not any(one.overlaps(o) for o in [*found[i + 1 :], *pool[0].taken])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"count": 0}, ConfigError, "count"),
        ({"stride": 0}, ConfigError, "stride"),
        ({"size": 0}, ConfigError, "window"),
    ],
)
def test_senseless_settings_are_refused(change, error, words):
    settings_ = {"count": 1, "size": 8, "stride": 2, "rng": rng(), **change}
    with pytest.raises(error, match=words):
        most_valuable_windows([image(np.ones((20, 20)))], **settings_)


def test_map_with_nan_or_of_another_shape_is_refused():
    broken = np.ones((20, 20))
    broken[3, 3] = np.nan
    with pytest.raises(BadInputError, match="NaN"):
        most_valuable_windows([image(broken)], count=1, size=8, stride=2, rng=rng())
    odd = PoolImage("a", (10, 10), uncertainty=np.ones((9, 10), np.float32))
    with pytest.raises(BadInputError, match="shape"):
        most_valuable_windows([odd], count=1, size=8, stride=2, rng=rng())
    with pytest.raises(BadInputError, match="predict first"):
        most_valuable_windows([PoolImage("a", (9, 9))], count=1, size=8, stride=2, rng=rng())


def test_empty_pool_gives_nothing():
    assert most_valuable_windows([], count=3, size=8, stride=2, rng=rng()) == ()
