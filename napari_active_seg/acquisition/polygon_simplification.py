"""Outlines of masks as polygons with few vertices, and how many clicks they take.

Simplified by Ramer's, Douglas's and Peucker's algorithm: no point of the outline lies further from
the polygon than the tolerance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask
from skimage.measure import approximate_polygon, find_contours

__all__ = ["polygon_mask", "simplify_outlines", "vertex_map"]


def simplify_outlines(mask: NDArray[np.bool_], tolerance: float) -> tuple[NDArray[np.float64], ...]:
    """Return the outlines of a mask (h, w), holes among them, as open rings of (y, x) vertices.

    An outline that becomes less than a triangle is left out.
    """
    rings = (
        approximate_polygon(ring - 1, tolerance)[:-1]  # the last vertex is the first again
        for ring in find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    )
    return tuple(ring for ring in rings if len(ring) >= 3)


def polygon_mask(ring: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels (h, w) have their centre inside a ring of (y, x) vertices."""
    mask: NDArray[np.bool_] = polygon2mask(shape, ring)
    return mask


def vertex_map(classes: NDArray[np.uint8], tolerance: float) -> NDArray[np.uint16]:
    """Return at each pixel how many vertices it takes to outline all classes but the first.

    The first class is what is left over, and needs no outline of its own.
    """
    found = np.zeros(classes.shape, np.uint16)
    for k in np.unique(classes):
        if k == 0:
            continue
        for ring in simplify_outlines(classes == k, tolerance):
            rows = np.clip(np.rint(ring[:, 0]), 0, classes.shape[0] - 1).astype(np.intp)
            columns = np.clip(np.rint(ring[:, 1]), 0, classes.shape[1] - 1).astype(np.intp)
            np.add.at(found, (rows, columns), 1)
    return found
