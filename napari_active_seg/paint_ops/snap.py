"""Snap drawn edges to the edges of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import segmentation

from napari_active_seg.errors import BadInputError

__all__ = ["snap_to_edges"]


def snap_to_edges(
    area: NDArray[np.bool_], pixels: NDArray[np.uint8], *, reach: int = 6
) -> NDArray[np.bool_]:
    """Move the edge of ``area`` (H, W) to the strongest edge of the picture near by.

    No pixel further than ``reach`` from the drawn edge changes sides. What is certain (further
    inside or outside) floods the band between, along the lowest gradients first. An area that is
    too thin to have an inside keeps its middle line as one.
    """
    if area.shape != pixels.shape[:2]:
        raise BadInputError(f"area {area.shape} and picture {pixels.shape} do not fit")
    if reach < 1 or not area.any() or area.all():
        return area.copy()
    inside = ndimage.distance_transform_edt(area)
    outside = ndimage.distance_transform_edt(~area)
    marks = np.zeros(area.shape, np.int32)
    marks[outside > reach] = 1
    marks[inside > reach] = 2
    thin = _remove_core(area, inside > reach)
    marks[thin & (inside >= ndimage.maximum_filter(inside, size=3))] = 2
    if not (marks == 1).any():  # the area fills the picture: its rim is the outside
        marks[~area & (outside >= outside.max())] = 1
    steps = _gradient(pixels)
    flooded = segmentation.watershed(steps, marks)
    near = (inside <= reach) & (outside <= reach)
    return np.where(near, flooded == 2, area)


def _remove_core(area: NDArray[np.bool_], core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the connected parts of an area that hold no pixel of its core."""
    parts, n = ndimage.label(area)
    held = np.zeros(n + 1, bool)
    held[np.unique(parts[core])] = True
    held[0] = True
    return ~held[parts]


def _gradient(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how fast colour changes (H, W), all channels taken together."""
    steps = np.zeros(pixels.shape[:2], np.float32)
    for channel in np.moveaxis(pixels.astype(np.float32), 2, 0):
        smooth = ndimage.gaussian_filter(channel, 1.0)
        steps += ndimage.sobel(smooth, axis=0) ** 2 + ndimage.sobel(smooth, axis=1) ** 2
    return np.sqrt(steps)
