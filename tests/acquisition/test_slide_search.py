"""Slides are searched on maps that keep one pixel of each square of several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import image, rng, search, two_classes

from napari_active_seg.acquisition import CostModel, PoolImage, draw_windows_on_foreground, gather
from napari_active_seg.regions import MaskedRegion, Region, RegionShape

STEP = 4


def slide(values, shape=None, **more):
    """A slide whose map is ``values``."""
    values = np.asarray(values, np.float32)
    full = shape or (values.shape[0] * STEP, values.shape[1] * STEP)
    return PoolImage("s", full, uncertainty=values, step=STEP, **more)


def test_squares_of_a_slide_are_those_of_its_map_times_the_step():
    values = rng(3).random((40, 60)).astype(np.float32)
    fine = gather([slide(values)], search(size=64, stride=16, most=5), rng())
    coarse = gather([image(values, "s")], search(size=16, stride=4, most=5), rng())
    assert [c.region for c in fine] == [
        Region("s", c.region.y * 4, c.region.x * 4, 64, 64) for c in coarse
    ]
    assert [c.information for c in fine] == [c.information for c in coarse]


@pytest.mark.parametrize("size", [30, 61, 64, 65])
def test_squares_keep_their_size_and_neither_overlap_nor_leave_the_slide(size):
    values = rng(1).random((40, 61)).astype(np.float32)
    shape = (40 * STEP + 3, 61 * STEP + 1)
    taken = (MaskedRegion(Region("s", 33, 50, 41, 29)),)
    found = gather([slide(values, shape, taken=taken)], search(size=size, stride=7), rng())
    regions = [c.region for c in found]
    assert len(regions) > 3
    for index, region in enumerate(regions):
        assert region.shape == (size, size)
        assert region.bottom <= shape[0] and region.right <= shape[1]
        assert not region.overlaps(taken[0].region)
        assert not any(region.overlaps(other) for other in regions[:index])


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
def test_slides_and_pictures_are_compared_in_the_same_unit(aggregate):
    plain = np.full((64, 64), 0.5, np.float32)
    pool = [image(plain, "a"), slide(np.full((40, 40), 0.4, np.float32))]
    found = gather(pool, search(size=32, stride=32, aggregate=aggregate), rng())
    by_image = {c.region.image_id: c for c in found}
    pixels = 1 if aggregate == "mean" else 32 * 32
    assert by_image["a"].information == pytest.approx(0.5 * pixels, rel=1e-5)
    assert by_image["s"].information == pytest.approx(0.4 * pixels, rel=1e-5)
    assert [c.region.image_id for c in found[:4]] == ["a"] * 4


def test_costs_are_those_of_the_slides_pixels_and_edges():
    classes = np.zeros((40, 40), int)
    classes[:, 20:] = 1
    cost = CostModel("boundary", 1.0, 0.01, per_boundary=0.5)
    strategy = {"size": 62, "stride": 80, "beta": 1.0}
    found = gather(
        [slide(np.ones((40, 40)), mean_probs=two_classes(classes))],
        search(cost=cost, most=1, **strategy),
        rng(),
    )
    region = found[0].region
    crosses = region.x < 80 < region.right
    edges = 16 * STEP if crosses else 0  # the window on the map holds 16 rows
    assert found[0].seconds == pytest.approx(1.0 + 0.01 * 62 * 62 + 0.5 * edges)


@pytest.mark.parametrize("unit", ["polygons", "crops", "images", "superpixels"])
def test_other_units_cover_whole_squares_of_the_slide(unit):
    y, x = np.mgrid[:60, :80]
    values = (np.hypot(y - 30, x - 40) < 12).astype(np.float32)
    pixels = np.repeat((values[..., None] * 255).astype(np.uint8), 3, axis=2)
    found = gather(
        [slide(values, read=lambda: pixels)],
        search(unit=unit, size=80, threshold=0.5, tolerance=4.0),
        rng(),
    )
    assert found
    best = found[0]
    assert best.place.region.bottom <= 240 and best.place.region.right <= 320
    if unit == "images":
        assert best.region.shape == (240, 320)
    elif unit == "polygons":
        assert best.place.pixels == pytest.approx(np.pi * 48**2, rel=0.12)


def test_foreground_of_a_slide_is_drawn_where_it_lies():
    values = np.zeros((50, 50), np.uint8)
    values[40:, 40:] = 1
    pool = [slide(values)]
    drawn = draw_windows_on_foreground(
        pool, count=3, size=16, rng=rng(), classes_of=lambda _: values, share=1.0
    )
    assert len(drawn) == 3
    for candidate in drawn:
        assert candidate.drawn_from == values.sum() * STEP**2
        assert candidate.region.y + 8 >= 40 * STEP - 8 and candidate.region.x + 8 >= 40 * STEP - 8


@given(
    st.tuples(st.integers(0, 90), st.integers(0, 90)),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([1, 2, 4, 8]),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_coarser_place_holds_every_pixel_and_a_finer_one_goes_back(
    start, height, width, step, shaped, seed
):
    mask = rng(seed).random((height, width)) < 0.4
    mask[0, 0] = True
    region = Region("a", *start, height, width)
    place = MaskedRegion(region, RegionShape.of(mask) if shaped and not mask.all() else None)
    shape = (128 // step, 128 // step)
    coarse = place.coarser(step, shape)
    covered, own = np.zeros((128, 128), bool), np.zeros((128, 128), bool)
    fine = coarse.finer(step)
    covered[fine.region.slices] = fine.mask
    own[region.slices] = place.mask
    assert covered[own].all()
    for block in np.argwhere(covered[::step, ::step]) * step:
        assert own[block[0] : block[0] + step, block[1] : block[1] + step].any()
