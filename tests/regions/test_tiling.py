import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import blend_window, tile_grid


@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 64), st.integers(0, 7))
def test_tiles_cover_every_pixel_and_overlap_enough(height, width, tile, overlap):
    tiles = tile_grid((height, width), tile=tile, overlap=overlap)
    seen = np.zeros((height, width), int)
    for t in tiles:
        assert (t.height, t.width) == (min(tile, height), min(tile, width))
        seen[t.slices] += 1
    assert (seen > 0).all()
    rows = sorted({t.y for t in tiles})
    assert all(b - a <= tile - overlap for a, b in itertools.pairwise(rows))
    assert rows[-1] + min(tile, height) == height


def test_blended_tiles_of_a_constant_are_the_constant():
    tiles = tile_grid((200, 150), tile=64, overlap=16)
    window = blend_window(64, 64, overlap=16)
    assert (window > 0).all()
    total, weights = np.zeros((200, 150)), np.zeros((200, 150))
    for t in tiles:
        total[t.slices] += 3.0 * window
        weights[t.slices] += window
    np.testing.assert_allclose(total / weights, 3.0)


def test_overlap_of_a_whole_tile_is_refused():
    with pytest.raises(BadInputError, match="overlap"):
        tile_grid((10, 10), tile=8, overlap=8)
