import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import Region, union_area

boxes = st.builds(
    Region,
    st.sampled_from(["a", "b"]),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 12),
    st.integers(1, 12),
)


def painted(region, image_id="a"):
    canvas = np.zeros((40, 40), bool)
    if region.image_id == image_id:
        canvas[region.slices] = True
    return canvas


@given(boxes, boxes)
def test_overlap_means_a_shared_pixel(one, other):
    shared = any((painted(one, i) & painted(other, i)).any() for i in "ab")
    assert one.overlaps(other) == shared


@given(st.lists(boxes, max_size=6))
def test_union_area_counts_each_pixel_once(regions):
    expected = sum(
        np.logical_or.reduce([painted(r, i) for r in regions] or [np.zeros(1, bool)]).sum()
        for i in "ab"
    )
    assert union_area(regions) == expected


@given(boxes, st.integers(0, 9))
def test_grown_adds_margin_but_stays_inside(region, margin):
    grown = region.grow(margin, (32, 32))
    assert grown.y == max(0, region.y - margin)
    assert grown.bottom == min(32, region.bottom + margin)
    assert (painted(grown) >= painted(region)).all()


@pytest.mark.parametrize("bad", [(0, 0, 0, 5), (0, 0, 5, -1), (-1, 0, 5, 5), (0, -2, 5, 5)])
def test_impossible_regions_are_refused(bad):
    with pytest.raises(BadInputError):
        Region("a", *bad)
