import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.importers.polygons import Outline
from napari_active_seg.regions import Region
from napari_active_seg.regions.polygonize import find_areas, find_outline


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 14), st.integers(1, 14), st.integers(0, 10**6), st.floats(0.1, 0.95))
def test_outlines_are_valid_and_cover_their_pixels_exactly(height, width, seed, share):
    import shapely

    mask = np.random.default_rng(seed).random((height, width)) < share
    drawn = np.full(mask.shape, 255, np.uint8)
    for area in find_areas(mask):
        outer, *holes = area.rings()
        polygon = shapely.Polygon(outer, holes)
        assert polygon.is_valid
        assert polygon.area == area.pixels
        rings = (outer.astype(float), *(hole.astype(float) for hole in holes))
        Outline(1, rings).fill(drawn, Region.whole("a", mask.shape))
    assert ((drawn == 1) == mask).all()


def test_a_square_has_four_corners_and_a_hole_is_a_ring_of_its_own():
    mask = np.ones((5, 5), bool)
    assert find_outline(mask)[0].tolist() == [[0, 0], [5, 0], [5, 5], [0, 5]]
    mask[2, 2] = False
    outer, hole = find_outline(mask)
    assert len(outer) == len(hole) == 4


def test_pixels_that_touch_at_a_corner_are_two_areas():
    mask = np.eye(2, dtype=bool)
    assert [(area.y, area.x, area.pixels) for area in find_areas(mask)] == [(0, 0, 1), (1, 1, 1)]


def test_objects_stay_apart_and_what_has_no_number_is_not_lost():
    mask = np.ones((2, 6), bool)
    objects = np.array([[1, 1, 2, 2, 0, 0]] * 2)
    assert sorted(area.x for area in find_areas(mask, objects)) == [0, 2, 4]
    assert list(find_areas(np.zeros((3, 3), bool))) == []
