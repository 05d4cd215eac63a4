"""Regions that a person places: fitted into the image and between those that are there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.acquisition import SMALLEST_SIDE, box_between, fit_between, square_around
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import MaskedRegion, Region, RegionShape

SHAPE = (200, 300)


def test_a_square_is_moved_into_the_image_and_a_box_is_clipped():
    assert square_around("a", SHAPE, 5, 295, size=64) == Region("a", 0, 236, 64, 64)
    assert square_around("a", SHAPE, 100, 100, size=64) == Region("a", 68, 68, 64, 64)
    assert square_around("a", (40, 300), 5, 100, size=64) == Region("a", 0, 68, 40, 64)
    assert box_between("a", SHAPE, (50, 60), (-30, 500)) == Region("a", 0, 60, 51, 240)


def test_a_region_is_cut_where_others_begin_and_keeps_the_place_that_was_chosen():
    wanted = Region("a", 50, 50, 100, 100)
    right = MaskedRegion(Region("a", 0, 120, 200, 64))
    below = MaskedRegion(Region("a", 130, 0, 64, 100))
    elsewhere = MaskedRegion(Region("b", 0, 0, 200, 300))
    assert fit_between(wanted, [elsewhere], keep=(100, 100), shape=SHAPE) == MaskedRegion(wanted)
    fitted = fit_between(wanted, [right, below], keep=(100, 100), shape=SHAPE)
    assert fitted == MaskedRegion(Region("a", 50, 50, 80, 70))


def test_a_place_without_room_is_refused():
    narrow = [MaskedRegion(Region("a", 0, 0, 200, 90)), MaskedRegion(Region("a", 0, 100, 200, 90))]
    with pytest.raises(BadInputError, match=r"only 100 x 10 pixels are free here.*16 x 16"):
        fit_between(Region("a", 50, 50, 100, 100), narrow, keep=(80, 95), shape=SHAPE)
    with pytest.raises(BadInputError, match="there is a region at y 80, x 95 already"):
        fit_between(
            Region("a", 50, 50, 100, 100),
            [MaskedRegion(Region("a", 60, 60, 50, 50))],
            keep=(80, 95),
            shape=SHAPE,
        )


def test_an_image_smaller_than_a_region_may_be_labelled_whole():
    whole = Region("a", 0, 0, 10, 12)
    assert fit_between(whole, (), keep=(1, 1), shape=(10, 12)) == MaskedRegion(whole)


def test_pixels_of_an_outlined_region_are_left_out():
    mask = np.zeros((60, 60), bool)
    mask[:30] = True
    mask[:, :20] = True
    outlined = MaskedRegion(Region("a", 40, 40, 60, 60), RegionShape.of(mask))
    fitted = fit_between(Region("a", 60, 60, 64, 64), [outlined], keep=(90, 90), shape=SHAPE)
    assert fitted.region == Region("a", 60, 60, 64, 64)
    assert not fitted.overlaps(outlined)
    assert fitted.pixels == 64 * 64 - 10 * 40  # rows 60 to 69 of the outlined one


sides = st.integers(1, 120)
places = st.builds(
    lambda y, x, h, w: MaskedRegion(Region("a", y, x, h, w)),
    st.integers(0, 199), st.integers(0, 299), sides, sides,
)  # fmt: skip


@given(st.lists(places, max_size=6), st.integers(0, 199), st.integers(0, 299))
def test_what_is_fitted_never_overlaps_and_holds_the_place(taken, y, x):
    wanted = square_around("a", SHAPE, y, x, size=96)
    try:
        fitted = fit_between(wanted, taken, keep=(y, x), shape=SHAPE)
    except BadInputError:
        return
    region = fitted.region
    assert region.y <= y < region.bottom and region.x <= x < region.right
    assert min(region.shape) >= SMALLEST_SIDE
    assert not any(fitted.overlaps(other) for other in taken)
