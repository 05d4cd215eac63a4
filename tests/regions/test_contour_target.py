import numpy as np
import pytest
from scipy import ndimage
from skimage import filters
from skimage.morphology import disk

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED, make_contour_target


def two_touching():
    """Two objects that share a border, in a field without labels at the right."""
    instances = np.zeros((40, 60), np.int32)
    instances[10:30, 5:20] = 7
    instances[10:30, 20:35] = 3
    return (instances > 0).astype(np.uint8), instances


def test_outline_is_sobel_dilated_by_a_disk():
    target, _ = two_touching()
    edges = filters.sobel(target.astype(float)) > 0
    expected = ndimage.binary_dilation(edges, disk(3)).astype(np.uint8)
    assert (make_contour_target(target) == expected).all()


def test_instances_part_objects_that_touch():
    target, instances = two_touching()
    plain, parted = make_contour_target(target), make_contour_target(target, instances)
    assert plain[20, 18:22].max() == 0
    assert parted[20, 18:22].min() == 1
    slow = np.zeros(target.shape, bool)
    for number in (3, 7):
        slow |= filters.sobel((instances == number).astype(float)) > 0
    assert (parted == ndimage.binary_dilation(slow, disk(3))).all()


def test_edge_of_what_was_labelled_is_no_outline():
    target = np.ones((40, 40), np.uint8)
    target[:, 25:] = UNLABELLED
    found = make_contour_target(target)
    assert (found[:, :21] == 0).all()  # no outline in a field of one class
    assert (found[:, 25:] == UNLABELLED).all()
    assert (found[:, 21:25] == UNLABELLED).all()  # within reach of the end of the labels


def test_what_is_known_does_not_depend_on_what_is_not():
    rng = np.random.default_rng(0)
    whole = ndimage.gaussian_filter(rng.random((60, 60)), 5) > 0.5
    hidden = np.zeros((60, 60), bool)
    hidden[:, 30:] = True
    partial = np.where(hidden, UNLABELLED, whole).astype(np.uint8)
    known, full = make_contour_target(partial), make_contour_target(whole.astype(np.uint8))
    sure = known != UNLABELLED
    assert sure[:, :25].all()
    assert (known[sure] == full[sure]).all()


def test_every_class_has_its_outline_and_one_class_has_none():
    target = np.zeros((20, 40), np.uint8)
    target[:, 13:26], target[:, 26:] = 1, 2
    found = make_contour_target(target, radius=0)
    assert np.flatnonzero(found[10]).tolist() == [12, 13, 25, 26]
    assert make_contour_target(np.zeros((9, 9), np.uint8)).max() == 0
    assert (make_contour_target(np.full((9, 9), UNLABELLED, np.uint8)) == UNLABELLED).all()


def test_instances_of_another_size_are_refused():
    with pytest.raises(BadInputError, match="do not fit"):
        make_contour_target(np.zeros((4, 4), np.uint8), np.zeros((5, 4), np.int32))
