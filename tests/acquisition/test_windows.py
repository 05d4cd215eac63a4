import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import FLAT, best, image, rng, search

from napari_active_seg.acquisition import (
    Aggregate,
    CostModel,
    PoolImage,
    draw_windows,
    draw_windows_on_foreground,
    gather,
    pool_quantile,
)
from napari_active_seg.acquisition.window_sums import window_axis, window_maxima, window_sums
from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.regions import MaskedRegion, Region


def windows_of(img, size, stride):
    """Every free window with the pixels in it, what is taken being 0."""
    h, w = min(size, img.shape[0]), min(size, img.shape[1])
    values = img.uncertainty.astype(float).copy()
    for place in img.taken:
        values[place.region.slices] = 0
    for y in window_axis(img.shape[0], size, stride).starts:
        for x in window_axis(img.shape[1], size, stride).starts:
            region = Region(img.image_id, int(y), int(x), h, w)
            if not any(region.overlaps(t.region) for t in img.taken):
                yield region, values[region.slices]


def brute_force(pool, count, size, stride, score=np.mean):
    """The windows of the best scores, each overlapping none before it."""
    windows = [(score(v), r) for img in pool for r, v in windows_of(img, size, stride)]
    chosen = []
    while windows and len(chosen) < count:
        found = max(windows, key=lambda item: item[0])
        chosen.append(found)
        windows = [w for w in windows if not w[1].overlaps(found[1])]
    return chosen


@settings(max_examples=60, deadline=None)
@given(
    st.integers(3, 24),
    st.integers(3, 24),
    st.integers(8, 12),
    st.integers(1, 5),
    st.integers(1, 8),
    st.integers(0, 10_000),
)
def test_choice_equals_brute_force_greedy(height, width, size, stride, count, seed):
    draws = np.random.default_rng(seed)
    taken = (Region("a", 0, 0, 2, 3),) if seed % 3 == 0 else ()
    pool = [
        image(draws.random((height, width)), "a", taken=taken),
        image(draws.random((19, 17)), "b"),
    ]
    found, scores = best(pool, count, size=size, stride=stride)
    expected = brute_force(pool, count, size, stride)
    np.testing.assert_allclose(scores, [score for score, _ in expected])
    assert found == [region for _, region in expected]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 40),
    st.integers(2, 40),
    st.integers(1, 45),
    st.integers(1, 12),
    st.integers(0, 10_000),
)
def test_sums_and_maxima_of_windows_are_those_of_their_pixels(height, width, size, stride, seed):
    values = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    h, w = min(size, height), min(size, width)
    rows, columns = window_axis(height, size, stride), window_axis(width, size, stride)
    ys, xs = rows.starts, columns.starts
    assert ys[-1] + h == height and xs[-1] + w == width  # the borders are reached
    cut = [[values[y : y + h, x : x + w].astype(float) for x in xs] for y in ys]
    sums = window_sums(values, rows, columns)
    np.testing.assert_allclose(sums, [[part.sum() for part in row] for row in cut])
    highest = window_maxima(values, rows, columns)
    assert (highest == [[part.max() for part in row] for row in cut]).all()


def test_sums_of_a_large_flat_map_do_not_drift():
    values = np.full((3000, 3000), 0.1, np.float32)
    axis = window_axis(3000, 50, 1)
    sums = window_sums(values, axis, axis)
    assert np.ptp(sums) < 1e-6
    assert sums[-1, -1] == pytest.approx(2500 * float(np.float32(0.1)), rel=1e-12)


AGGREGATES = {
    "mean": np.mean,
    "sum": np.sum,
    "max": np.max,
    "count": lambda v: float((v > 0.6).sum()),
    "top": lambda v: float(np.where(v >= 0.8, v, 0).mean()),
}


@pytest.mark.parametrize("name", AGGREGATES)
def test_every_aggregate_goes_the_same_way_in_windows_and_places(name):
    values = np.random.default_rng(1).random((40, 50)).astype(np.float32)
    cut = {"count": 0.6, "top": 0.8}.get(name, 0.0)
    aggregate = Aggregate(name, cut)
    pool = [image(values)]
    found = gather(pool, search(most=4, size=12, stride=3, aggregate=aggregate), rng())
    expected = [score for score, _ in brute_force(pool, 4, 12, 3, AGGREGATES[name])]
    np.testing.assert_allclose([c.information for c in found], expected, rtol=1e-6)
    region = found[0].region
    assert aggregate.of_pixels(values[region.slices].ravel()) == pytest.approx(expected[0])


def test_quantile_of_the_pool_leaves_the_share_above_it():
    draws = np.random.default_rng(2)
    maps = [draws.random((50, 60)).astype(np.float32) * k for k in (0.5, 1.0, 3.0)]
    together = np.concatenate([m.ravel() for m in maps])
    cut = pool_quantile([(m, 1) for m in maps], 0.1)
    assert cut == pytest.approx(np.quantile(together, 0.9), abs=3e-3)
    assert (together >= cut).mean() == pytest.approx(0.1, abs=2e-3)
    assert pool_quantile([(np.zeros((5, 5), np.float32), 1)], 0.1) == 0
    with pytest.raises(ConfigError, match="share"):
        pool_quantile([], 0.0)


def test_what_an_image_is_searched_for_does_not_depend_on_pruning():
    draws = np.random.default_rng(8)
    pool = [image(draws.random((60, 60)) * k, f"i{k}") for k in range(1, 7)]
    pruned = gather(pool, search(most=9, size=8, stride=2), rng())
    all_of_them = gather(pool, search(most=9, size=8, stride=2, prunes=False), rng())
    assert [c.region for c in pruned] == [c.region for c in all_of_them]


def test_windows_of_one_round_never_overlap_and_never_touch_labels():
    draws = np.random.default_rng(3)
    taken = (Region("a", 20, 20, 30, 30),)
    found, _ = best([image(draws.random((100, 120)), taken=taken)], 99, size=16, stride=3)
    assert len(found) > 20
    for one, other in itertools.combinations([*found, *taken], 2):
        assert not one.overlaps(other)


def test_windows_keep_clear_of_the_pixels_of_a_polygon_and_not_of_its_rectangle():
    triangle = np.tri(40, dtype=bool)
    taken = MaskedRegion.of_mask("a", triangle)
    found, _ = best([image(np.ones((40, 40)), taken=(taken,))], 50, size=8, stride=1)
    assert found
    assert not any(triangle[region.slices].any() for region in found)
    assert any(region.y < 40 and region.x < 40 for region in found)


def test_faithful_windows_may_overlap_within_a_round_but_labels_count_zero():
    values = np.zeros((60, 60))
    values[25:35, 25:35] = 1
    pool = [image(values, taken=(Region("a", 0, 0, 20, 20),))]
    found, _ = best(pool, 3, size=20, stride=5, overlap=True)
    assert found[0].overlaps(found[1])
    covered = [image(values, taken=(Region("a", 0, 0, 60, 60),))]
    assert best(covered, 3, size=20, stride=5, overlap=True) == ([], [])


def test_hot_last_row_and_column_are_reached_whatever_the_stride():
    values = np.zeros((53, 71))
    values[-1, -1] = 1
    ((region,), _) = best([image(values)], 1, size=16, stride=7)
    assert (region.bottom, region.right) == (53, 71)


def test_image_smaller_than_the_window_is_one_region():
    found, _ = best([image(np.ones((5, 9)))], 4, size=16, stride=4)
    assert found == [Region("a", 0, 0, 5, 9)]


def test_ties_are_drawn_over_all_places_and_images():
    pool = [image(np.full((64, 64), 0.25)), image(np.full((64, 64), 0.25), "b")]
    picks = [best(pool, 1, seed=s, size=8, stride=1)[0][0] for s in range(200)]
    assert 60 < sum(p.image_id == "a" for p in picks) < 140
    assert np.mean([p.y for p in picks]) == pytest.approx(28, abs=5)


def test_a_smaller_image_wins_ties_by_its_number_of_places_alone():
    pool = [image(np.full((20, 30), 0.5)), image(np.full((20, 10), 0.5), "b")]
    picks = [best(pool, 1, seed=s, size=8, stride=1)[0][0] for s in range(500)]
    places = 13 * 23 + 13 * 3
    assert np.mean([p.image_id == "b" for p in picks]) == pytest.approx(13 * 3 / places, abs=0.04)


def test_same_seed_gives_the_same_choice():
    pool = [image(np.full((64, 64), 0.5))]
    assert best(pool, 5, size=8, stride=2) == best(pool, 5, size=8, stride=2)


def test_windows_without_tissue_are_left_out():
    tissue = np.zeros((64, 64), bool)
    tissue[:, 32:] = True
    found, _ = best([image(np.ones((64, 64)), tissue=tissue)], 50, size=16, stride=4)
    assert found
    assert all(tissue[region.slices].mean() >= 0.25 for region in found)


def test_costlier_windows_rank_lower_only_when_beta_asks():
    large, small = image(np.full((16, 16), 0.6), "large"), image(np.full((8, 8), 0.5), "small")
    cost = CostModel("area", base_s=1.0, per_pixel=1.0)
    assert best([large, small], 1, size=16, cost=cost)[0][0].image_id == "large"
    assert best([large, small], 1, size=16, cost=cost, beta=0.5)[0][0].image_id == "small"
    assert best([large, small], 2, size=16, cost=FLAT, beta=3.0)[0][0].image_id == "large"


def test_draws_are_uniform_and_say_how_many_places_there_were():
    pool = [PoolImage("a", (20, 30)), PoolImage("b", (20, 10))]
    picks = [draw_windows(pool, count=1, size=8, rng=rng(s))[0] for s in range(800)]
    places = 13 * 23 + 13 * 3
    assert {p.drawn_from for p in picks} == {places}
    assert {p.chance for p in picks} == {1 / places}
    share = np.mean([p.region.image_id == "a" for p in picks])
    assert share == pytest.approx(13 * 23 / places, abs=0.04)


def test_draws_do_not_overlap_each_other_or_labels():
    pool = [PoolImage("a", (40, 40), taken=(MaskedRegion(Region("a", 0, 0, 20, 20)),))]
    found = [p.region for p in draw_windows(pool, count=30, size=10, rng=rng())]
    assert len(found) >= 4
    for i, one in enumerate(found):
        assert not any(one.overlaps(o) for o in [*found[i + 1 :], pool[0].taken[0].region])


def test_two_of_three_draws_have_foreground_at_their_middle():
    classes = np.zeros((200, 200), np.uint8)
    classes[:40, :40] = 1
    pool = [PoolImage("a", classes.shape)]
    found = draw_windows_on_foreground(
        pool, count=9, size=10, rng=rng(), classes_of=lambda _: classes
    )
    on = sum(int(classes[c.region.slices].any()) for c in found)
    assert len(found) == 9 and 6 <= on <= 7
    for one, other in itertools.combinations(found, 2):
        assert not one.place.overlaps(other.place)
    nothing = draw_windows_on_foreground(
        pool, count=3, size=10, rng=rng(), classes_of=lambda _: np.zeros_like(classes)
    )
    assert len(nothing) == 3


@pytest.mark.parametrize(
    ("change", "words"), [({"stride": 0}, "stride"), ({"size": 0}, "size"), ({"size": 4}, "size")]
)
def test_senseless_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        best([image(np.ones((20, 20)))], 1, **change)
    with pytest.raises(ConfigError, match="count"):
        draw_windows([PoolImage("a", (20, 20))], count=0, size=8, rng=rng())


@pytest.mark.parametrize("unit", ["squares", "polygons", "crops", "images"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_map_with_nan_or_of_another_shape_is_refused(unit, value):
    broken = np.ones((20, 20))
    broken[3, 3] = value
    with pytest.raises(BadInputError, match="NaN"):
        best([image(broken)], 1, size=8, stride=2, unit=unit)
    odd = PoolImage("a", (10, 10), uncertainty=np.ones((9, 10), np.float32))
    with pytest.raises(BadInputError, match="shape"):
        best([odd], 1, size=8)
    with pytest.raises(BadInputError, match="predict first"):
        best([PoolImage("a", (9, 9))], 1, size=8)


def test_empty_pool_gives_nothing():
    assert best([], 3, size=8) == ([], [])
    assert draw_windows([], count=2, size=8, rng=rng()) == ()
