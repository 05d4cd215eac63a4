import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_active_seg.errors import BadInputError
from napari_active_seg.paint_ops import (
    MagicWand,
    lasso_mask,
    remove_small_regions,
    smooth_mask,
    snap_to_edges,
)


def disk(shape, middle, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= radius**2


def picture(area, noise=4, seed=0):
    """Return a picture whose area is purple on pink, with grain."""
    rng = np.random.default_rng(seed)
    pixels = np.where(area[..., None], (110, 60, 140), (230, 170, 200)).astype(float)
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_smart_fill_takes_the_gland_under_the_cursor_and_not_its_twin():
    first, second = disk((120, 160), (60, 45), 25), disk((120, 160), (60, 115), 25)
    alike = MagicWand(picture(first | second))
    found = alike.around(60, 45)
    assert dice(found, first) > 0.95
    assert not (found & second).any()


def test_smart_fill_fills_small_holes_and_leaves_large_ones():
    ring = disk((120, 120), (60, 60), 40)
    small = ring & ~disk((120, 120), (60, 40), 4)
    assert MagicWand(picture(small)).around(60, 80)[60, 40]
    lumen = disk((120, 120), (60, 60), 25)
    found = MagicWand(picture(ring & ~lumen)).around(60, 60 + 32)
    assert not found[60, 60]


def test_smart_fill_stops_at_its_reach():
    alike = MagicWand(picture(np.ones((80, 80), bool)))
    found = alike.around(40, 40, reach=10)
    y, x = np.nonzero(found)
    assert np.hypot(y - 40, x - 40).max() <= 10
    assert np.count_nonzero(found) > 0.9 * np.pi * 100
    assert alike.around(40, 40).all()


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))),
    st.data(),
)
def test_smart_fill_is_one_area_that_holds_the_point(pixels, data):
    from scipy import ndimage

    y = data.draw(st.integers(0, pixels.shape[0] - 1))
    x = data.draw(st.integers(0, pixels.shape[1] - 1))
    found = MagicWand(pixels).around(y, x, reach=data.draw(st.none() | st.integers(1, 30)))
    assert found[y, x]
    assert ndimage.label(found, structure=np.ones((3, 3)))[1] == 1


def test_smart_fill_outside_the_picture_is_refused():
    with pytest.raises(BadInputError, match="outside"):
        MagicWand(np.zeros((8, 8, 3), np.uint8)).around(8, 0)


@pytest.mark.parametrize("radius", [26, 34])
def test_snapping_moves_a_careless_edge_to_the_true_one(radius):
    truth = disk((120, 120), (60, 60), 30)
    drawn = disk((120, 120), (61, 59), radius)
    better = snap_to_edges(drawn, picture(truth), reach=8)
    assert dice(better, truth) > 0.985 > dice(drawn, truth)


def test_snapping_changes_nothing_further_away_than_its_reach():
    truth = disk((120, 120), (60, 60), 30)
    drawn = disk((120, 120), (60, 60), 45)
    moved = snap_to_edges(drawn, picture(truth), reach=5) != drawn
    y, x = np.nonzero(moved)
    away = np.hypot(y - 60, x - 60)
    assert len(y) == 0 or (away.min() > 39 and away.max() < 51)


def test_snapping_keeps_thin_lines_and_empty_or_full_areas():
    pixels = picture(disk((60, 60), (30, 30), 15))
    line = np.zeros((60, 60), bool)
    line[30, 10:50] = True
    assert snap_to_edges(line, pixels, reach=3)[30, 12:48].any()
    for same in (np.zeros((60, 60), bool), np.ones((60, 60), bool)):
        assert np.array_equal(snap_to_edges(same, pixels), same)


def test_smoothing_takes_the_stairs_off_and_keeps_the_size():
    area = disk((100, 100), (50, 50), 30)
    rough = area.copy()
    rng = np.random.default_rng(0)
    y, x = np.nonzero(disk((100, 100), (50, 50), 33) & ~disk((100, 100), (50, 50), 27))
    flipped = rng.random(len(y)) < 0.3
    rough[y[flipped], x[flipped]] ^= True
    better = smooth_mask(rough.astype(np.uint8)) == 1
    assert dice(better, area) > dice(rough, area) + 0.01
    assert abs(np.count_nonzero(better) / np.count_nonzero(area) - 1) < 0.03


def test_specks_become_their_surroundings_and_gaps_are_filled():
    paint = np.ones((60, 60), np.uint8)
    paint[10:50, 10:50] = 2
    paint[20, 20] = 1  # a speck of another class
    paint[30:33, 30:33] = 0  # a gap
    paint[2, 2] = 3  # a speck near the edge
    tidy = remove_small_regions(paint, least=20)
    wanted = np.ones((60, 60), np.uint8)
    wanted[10:50, 10:50] = 2
    assert np.array_equal(tidy, wanted)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)),
                     elements=st.integers(0, 3)))  # fmt: skip
def test_large_areas_survive_the_removal_of_specks(paint):
    from scipy import ndimage

    tidy = remove_small_regions(paint, least=6)
    for value in np.unique(paint):
        areas, n = ndimage.label(paint == value)
        for number in range(1, n + 1):
            area = areas == number
            if np.count_nonzero(area) >= 6:
                assert (tidy[area] == value).all()


def test_lasso_closes_itself_and_may_leave_the_picture():
    inside = lasso_mask([(-5, 10), (30, 10), (30, 70), (-5, 70)], (40, 60))
    assert inside[0:30, 10:60].all()
    assert not inside[31:].any()
    assert not inside[:, :9].any()
    assert not lasso_mask([(0, 0), (9, 9)], (10, 10)).any()
