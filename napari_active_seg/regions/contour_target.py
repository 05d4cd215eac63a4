"""Outlines of objects as a second target, so that a network separates touching objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import disk

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["make_contour_target"]

_RADIUS = 3


def make_contour_target(
    target: NDArray[np.uint8],
    instances: NDArray[np.integer] | None = None,
    *,
    radius: int = _RADIUS,
) -> NDArray[np.uint8]:
    """Draw outlines of objects (H, W): 1 on an outline, 0 elsewhere, 255 where unknown.

    Objects are the instances where these are given (0 is no object), else the areas of each class.
    A pixel lies on an edge where a Sobel filter of its object's mask is not 0; edges are dilated by
    a disk of ``radius``. Near an unlabelled pixel an outline cannot be distinguished from the end
    of the labelled area: pixels within reach of one are 255.
    """
    if instances is not None and instances.shape != target.shape:
        raise BadInputError(f"instances {instances.shape} do not fit the target {target.shape}")
    unknown = target == UNLABELLED
    edges = np.zeros(target.shape, bool)
    for mask, place in _objects(target, instances):
        edges[place] |= _find_edges(mask)
    reach = disk(radius)
    outlines = ndimage.binary_dilation(edges, reach) if radius else edges
    found = outlines.astype(np.uint8)
    touched = ndimage.binary_dilation(unknown, np.ones((3, 3), bool))
    found[ndimage.binary_dilation(touched, reach) if radius else touched] = UNLABELLED
    return found


def _objects(
    target: NDArray[np.uint8], instances: NDArray[np.integer] | None
) -> list[tuple[NDArray[np.bool_], tuple[slice, slice]]]:
    """Return the mask of each object with one pixel around it, and its place."""
    if instances is not None:
        _, numbered = np.unique(instances, return_inverse=True)
        numbered = numbered.reshape(instances.shape)
        if not (instances == 0).any():
            numbered = numbered + 1
    else:
        numbered = np.where(target == UNLABELLED, 0, target.astype(np.int32) + 1)
    found = []
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        if box is None:
            continue
        y, x = (slice(max(0, part.start - 1), part.stop + 1) for part in box)
        found.append((numbered[y, x] == number, (y, x)))
    return found


def _find_edges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    values = mask.astype(np.int32)
    dy = ndimage.sobel(values, axis=0, mode="nearest")
    dx = ndimage.sobel(values, axis=1, mode="nearest")
    answers: NDArray[np.bool_] = (dy != 0) | (dx != 0)
    return answers
