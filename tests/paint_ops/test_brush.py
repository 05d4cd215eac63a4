from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.paint_ops import stroke_mask

places = st.tuples(st.floats(-5, 25), st.floats(-5, 25))


def away(y, x, start, end):
    """Return how far a pixel's centre is from a line, by trying many points of it."""
    at = np.linspace(0, 1, 2001)
    return np.hypot(
        start[0] + at * (end[0] - start[0]) - y - 0.5, start[1] + at * (end[1] - start[1]) - x - 0.5
    ).min()


@given(st.lists(places, min_size=1, max_size=4), st.floats(0.5, 6))
def test_a_stroke_covers_what_its_brush_passes(points, radius):
    covered = stroke_mask(points, radius, (20, 16))
    lines = list(pairwise(points)) or [(points[0], points[0])]
    for y in range(0, 20, 3):
        for x in range(0, 16, 3):
            distance = min(away(y, x, *line) for line in lines)
            if abs(distance - radius) > 0.02:
                assert covered[y, x] == (distance < radius)


def test_no_points_and_points_far_away_cover_nothing():
    assert not stroke_mask([], 3, (5, 5)).any()
    assert not stroke_mask([(-50, -50), (-40, 90)], 3, (5, 5)).any()
