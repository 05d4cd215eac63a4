import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_active_seg.errors import BadInputError, NothingToDoError
from napari_active_seg.metrics import ObjectCounts, count_objects
from napari_active_seg.metrics.instances import (
    InstanceRules,
    ObjectMaps,
    find_instances,
    fit_rules,
)
from napari_active_seg.regions import make_contour_target


def slow_counts(found, truth):
    """The contest's words, object by object."""
    right, covered = 0, set()
    for f in set(found.ravel()) - {0}:
        overlaps = {t: int(((found == f) & (truth == t)).sum()) for t in set(truth.ravel()) - {0}}
        if not overlaps or max(overlaps.values()) == 0:
            continue
        best = max(sorted(overlaps), key=lambda t: overlaps[t])
        if overlaps[best] >= 0.5 * (truth == best).sum():
            right += 1
            covered.add(best)
    n_found, n_true = len(set(found.ravel()) - {0}), len(set(truth.ravel()) - {0})
    return ObjectCounts(right, n_found - right, n_true - len(covered))


maps = arrays(np.int32, (6, 7), elements=st.integers(0, 4))


@settings(max_examples=150, deadline=None)
@given(maps, maps)
def test_counts_equal_the_literal_reading(found, truth):
    assert count_objects(found, truth) == slow_counts(found, truth)


def test_counts_of_simple_cases():
    truth = np.zeros((10, 20), int)
    truth[2:8, 2:8], truth[2:8, 12:18] = 5, 9
    assert count_objects(truth, truth) == ObjectCounts(2, 0, 0)
    merged = (truth > 0).astype(int)
    assert count_objects(merged, truth) == ObjectCounts(1, 0, 1)
    small = np.zeros_like(truth)
    small[2:4, 2:8] = 1  # a third of its object
    assert count_objects(small, truth) == ObjectCounts(0, 1, 2)
    nothing = np.zeros_like(truth)
    assert count_objects(nothing, truth) == ObjectCounts(0, 0, 2)
    assert count_objects(nothing, nothing).f1 == 1
    assert (ObjectCounts(2, 1, 0) + ObjectCounts(1, 0, 2)).f1 == pytest.approx(6 / 9)
    with pytest.raises(BadInputError, match="unlike shapes"):
        count_objects(truth, truth[1:])


def touching():
    """Two discs that touch: what a network that draws outlines says of them."""
    y, x = np.mgrid[:60, :90]
    truth = np.zeros((60, 90), np.int32)
    truth[np.hypot(y - 30, x - 28) < 18] = 1
    truth[(np.hypot(y - 30, x - 62) < 18) & (truth == 0)] = 2
    rng = np.random.default_rng(0)
    objects = ndimage.gaussian_filter((truth > 0).astype(float), 1.0)
    objects += rng.normal(0, 0.02, truth.shape)
    contours = ndimage.gaussian_filter(
        (make_contour_target((truth > 0).astype(np.uint8), truth) == 1).astype(float), 1.0
    )
    return ObjectMaps(objects.astype(np.float32), contours.astype(np.float32), truth)


def test_outlines_part_objects_that_touch():
    said = touching()
    together = find_instances(said, InstanceRules(contour_weight=0.0))
    parted = find_instances(said, InstanceRules())
    assert together.max() == 1
    assert parted.max() == 2
    assert count_objects(parted, said.truth) == ObjectCounts(2, 0, 0)
    for number in (1, 2):  # what the outline took away is given back
        partner = np.bincount(said.truth[parted == number]).argmax()
        overlap = ((parted == number) & (said.truth == partner)).sum()
        assert overlap > 0.85 * (said.truth == partner).sum()


def test_small_objects_and_small_holes_go_and_large_ones_stay():
    objects = np.zeros((60, 60), np.float32)
    objects[5:45, 5:45] = 1
    objects[10:13, 10:13] = 0  # 9 pixels
    objects[20:40, 20:40] = 0  # 400 pixels
    objects[50:54, 50:54] = 1  # 16 pixels
    said = ObjectMaps(objects, np.zeros_like(objects))
    ids = find_instances(said, InstanceRules(0.5, 0.0, smallest=20, largest_hole=100))
    assert ids[11, 11] == 1
    assert ids[30, 30] == 0
    assert ids[52, 52] == 0
    every = find_instances(said, InstanceRules(0.5, 0.0, smallest=0, largest_hole=0))
    assert every.max() == 2
    assert every[11, 11] == 0


def test_rules_are_fixed_on_validation_and_travel_as_figures():
    said = touching()
    rules, counts = fit_rules([said])
    assert counts.glas.object_f1 == 1
    assert rules.contour_weight > 0
    assert count_objects(find_instances(said, rules), said.truth) == counts.glas.counts
    figures = {"mean_dice": 0.9, **rules.as_figures()}
    assert InstanceRules.from_figures(figures) == rules
    assert InstanceRules.from_figures({"mean_dice": 0.9}) is None
    with pytest.raises(NothingToDoError, match="no validation image"):
        fit_rules([ObjectMaps(said.objects, said.contours)])


def test_empty_maps_hold_no_object():
    nothing = np.zeros((8, 9), np.float32)
    assert find_instances(ObjectMaps(nothing, nothing), InstanceRules()).max() == 0
