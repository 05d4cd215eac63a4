"""Pixels counted once, against a mask as large as the image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.regions import (
    UNLABELLED,
    Coverage,
    MaskedRegion,
    Region,
    RegionLabel,
    RegionShape,
    RegionState,
    count_labelled_pixels,
    count_pixels,
)

SIDE = 40
rectangles = st.tuples(
    st.sampled_from("ab"), st.integers(0, 30), st.integers(0, 30), st.integers(1, 10),
    st.integers(1, 10), st.integers(0, 2**31), st.booleans(),
)  # fmt: skip


def place_of(image_id, y, x, height, width, seed, is_shaped):
    region = Region(image_id, y, x, height, width)
    mask = np.random.default_rng(seed).random(region.shape) < 0.6
    shaped = is_shaped and mask.any()
    return MaskedRegion(region, RegionShape.of(mask) if shaped else None)


@given(st.lists(rectangles, max_size=12))
def test_pixels_are_counted_once(drawn):
    places = [place_of(*values) for values in drawn]
    masks = {name: np.zeros((SIDE, SIDE), bool) for name in "ab"}
    coverage = Coverage()
    for place in places:
        mask = masks[place.region.image_id]
        before = mask.sum()
        mask[place.region.slices] |= place.mask
        assert coverage.add_place(place) == mask.sum() - before
    assert coverage.pixels == sum(mask.sum() for mask in masks.values()) == count_pixels(places)


def test_only_pixels_with_a_class_count():
    target = np.full((10, 10), UNLABELLED, np.uint8)
    target[:5] = 1
    labels = [
        RegionLabel(Region("a", y, 0, 10, 10), target, RegionState.DONE, "Anna") for y in (0, 2)
    ]
    assert count_labelled_pixels(labels) == 70
