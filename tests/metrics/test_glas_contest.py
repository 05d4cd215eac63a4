"""The contest's scores against a literal reading of its definition, object by object."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.spatial.distance import cdist

from napari_active_seg.metrics import (
    GlasSums,
    boundary_scores,
    compute_glas_sums,
    compute_panoptic_sums,
)
from napari_active_seg.metrics.boundaries import hausdorff_distance


def objects_of(ids):
    return [ids == i for i in sorted(set(ids.ravel().tolist()) - {0})]


def slow_hausdorff(a, b):
    between = cdist(np.argwhere(a), np.argwhere(b))
    return max(between.min(axis=1).max(), between.min(axis=0).max())


def partner(one, others):
    shared = [int((one & other).sum()) for other in others]
    return others[int(np.argmax(shared))] if max(shared, default=0) else None


def dice_of(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def one_way(objects, others, score):
    area = sum(o.sum() for o in objects)
    return sum(o.sum() / area * score(o, partner(o, others), others) for o in objects)


def slow_dice(found, truth):
    s, g = objects_of(found), objects_of(truth)
    if not s and not g:
        return 1.0
    if not s or not g:
        return 0.0

    def score(o, other, _others):
        return 0.0 if other is None else dice_of(o, other)

    return 0.5 * (one_way(s, g, score) + one_way(g, s, score))


def slow_object_hausdorff(found, truth):
    s, g = objects_of(found), objects_of(truth)
    if not s and not g:
        return 0.0
    if not s or not g:
        return np.inf

    def score(o, other, others):
        if other is None:
            return min(slow_hausdorff(o, each) for each in others)
        return slow_hausdorff(o, other)

    return 0.5 * (one_way(s, g, score) + one_way(g, s, score))


maps = arrays(np.int32, (7, 8), elements=st.sampled_from([0, 0, 0, 1, 2, 7]))


@settings(max_examples=150, deadline=None)
@given(maps, maps)
def test_scores_equal_the_literal_reading(found, truth):
    sums = compute_glas_sums(found, truth)
    assert sums.object_dice == pytest.approx(slow_dice(found, truth))
    assert sums.object_hausdorff == pytest.approx(slow_object_hausdorff(found, truth))


def blobs(seed, shape=(90, 120)):
    rng = np.random.default_rng(seed)
    return ndimage.label(ndimage.gaussian_filter(rng.normal(size=shape), 4) > 0.03)[0]


@pytest.mark.parametrize("seed", range(4))
def test_scores_equal_the_literal_reading_on_larger_objects(seed):
    found, truth = blobs(seed), blobs(seed + 100)
    assert len(objects_of(found)) > 3
    sums = compute_glas_sums(found, truth)
    assert sums.object_dice == pytest.approx(slow_dice(found, truth))
    assert sums.object_hausdorff == pytest.approx(slow_object_hausdorff(found, truth))


def test_images_added_up_are_one_large_image():
    pairs = [(blobs(1), blobs(2)), (blobs(3), blobs(4))]
    total = sum((compute_glas_sums(*pair) for pair in pairs), GlasSums())
    gap = np.zeros((90, 400), int)  # far enough that nobody's nearest lies in the other image

    def side_by_side(one, two):
        return np.hstack([one, gap, np.where(two > 0, two + one.max(), 0)])

    whole = compute_glas_sums(*(side_by_side(pairs[0][k], pairs[1][k]) for k in (0, 1)))
    assert total.object_f1 == whole.object_f1
    assert total.object_dice == pytest.approx(whole.object_dice)
    assert total.object_hausdorff == pytest.approx(whole.object_hausdorff)


def test_ids_may_be_anything():
    found, truth = blobs(1), blobs(2)
    same = compute_glas_sums(found * 1_000_000_007, np.where(truth > 0, truth - 50_000, 0))
    plain = compute_glas_sums(found, truth)
    assert same.object_dice == pytest.approx(plain.object_dice)
    assert same.object_f1 == plain.object_f1


def test_nothing_to_find():
    nothing, something = np.zeros((5, 5), int), np.eye(5, dtype=int)
    assert compute_glas_sums(nothing, nothing).object_dice == 1.0
    assert compute_glas_sums(nothing, nothing).object_hausdorff == 0.0
    assert compute_glas_sums(something, nothing).object_dice == 0.0
    assert compute_glas_sums(something, nothing).object_hausdorff == np.inf
    assert (
        compute_glas_sums(something, something) + compute_glas_sums(nothing, something)
    ).object_dice == (pytest.approx(0.5 * (1 + 0.5)))


@settings(max_examples=100, deadline=None)
@given(maps, maps)
def test_hausdorff_equals_all_pairs(a, b):
    one, two = a > 0, b > 0
    if one.any() and two.any():
        assert hausdorff_distance(one, two) == pytest.approx(slow_hausdorff(one, two))
    else:
        assert hausdorff_distance(one, two) == (np.inf if one.any() != two.any() else 0.0)


def test_the_middle_of_a_disc_is_far_from_a_ring():
    y, x = np.mgrid[:61, :61] - 30
    disc = np.hypot(y, x) <= 25
    ring = disc & (np.hypot(y, x) >= 20)
    assert hausdorff_distance(disc, ring) == pytest.approx(20)
    assert boundary_scores(ring, disc).hausdorff == pytest.approx(20)


def slow_boundary(found, truth, tolerance):
    def border(mask):
        padded = np.pad(mask, 1)
        around = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
        return np.argwhere(mask & ~np.logical_and.reduce(around))

    between = cdist(border(found), border(truth))
    there, back = between.min(axis=1), between.min(axis=0)
    p, r = (there <= tolerance).mean(), (back <= tolerance).mean()
    f1 = 2 * p * r / (p + r) if p + r else 0.0
    return max(np.percentile(there, 95), np.percentile(back, 95)), f1


@pytest.mark.parametrize("seed", range(3))
def test_boundary_scores_equal_all_pairs_of_border_pixels(seed):
    found, truth = blobs(seed, (40, 50)) > 0, blobs(seed + 50, (40, 50)) > 0
    found[0] = True  # a border that is the image's own
    scores = boundary_scores(found, truth, tolerance=3)
    assert (scores.hausdorff_95, scores.boundary_f1) == pytest.approx(
        slow_boundary(found, truth, 3)
    )
    assert scores.hausdorff == pytest.approx(slow_hausdorff(found, truth))


def test_distances_are_in_the_unit_of_the_spacing():
    found, truth = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    found[5, 5], truth[5, 15], nothing = True, True, np.zeros((20, 20), bool)
    assert boundary_scores(found, truth, spacing=(0.5, 0.25)).hausdorff == pytest.approx(2.5)
    assert boundary_scores(found, nothing).hausdorff == pytest.approx(np.hypot(19, 19))
    assert np.isnan(boundary_scores(nothing, nothing).hausdorff_95)


def slow_panoptic(found, truth):
    s, g = objects_of(found), objects_of(truth)
    overlaps = [(a & b).sum() / (a | b).sum() for a in s for b in g]
    matched = [o for o in overlaps if o > 0.5]
    wrong = (len(s) - len(matched)) + (len(g) - len(matched))
    if not matched and not wrong:
        return 1.0
    return sum(matched) / (len(matched) + wrong / 2)


@settings(max_examples=150, deadline=None)
@given(maps, maps)
def test_panoptic_quality_equals_its_formula(found, truth):
    sums = compute_panoptic_sums(found, truth)
    assert sums.panoptic_quality == pytest.approx(slow_panoptic(found, truth))


def test_panoptic_quality_is_the_product_of_its_parts():
    truth = np.zeros((10, 20), int)
    truth[2:8, 2:8], truth[2:8, 12:18] = 1, 2
    found = np.zeros_like(truth)
    found[2:8, 2:7], found[0, 0] = 4, 5
    sums = compute_panoptic_sums(found, truth)
    assert sums.segmentation_quality == pytest.approx(30 / 36)
    assert sums.detection_quality == pytest.approx(0.5)
    assert sums.panoptic_quality == pytest.approx(30 / 36 / 2)
    assert (sums + compute_panoptic_sums(truth, truth)).detection_quality == pytest.approx(6 / 8)
