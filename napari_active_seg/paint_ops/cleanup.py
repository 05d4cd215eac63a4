"""Tidy paint (H, W), in which 0 is not painted and k + 1 is class k."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["remove_small_regions", "smooth_mask"]


def smooth_mask(paint: NDArray[np.uint8], *, width: float = 2.0) -> NDArray[np.uint8]:
    """Smooth the edges of paint: each pixel gets the value that prevails around it.

    Unpainted pixels take part like a class, so that paint neither grows nor shrinks.
    """
    best = np.full(paint.shape, -1.0, np.float32)
    smooth = paint.copy()
    for value in np.unique(paint):
        share = ndimage.gaussian_filter((paint == value).astype(np.float32), width)
        more = share > best
        smooth[more] = value
        best[more] = share[more]
    return smooth


def remove_small_regions(paint: NDArray[np.uint8], *, least: int = 30) -> NDArray[np.uint8]:
    """Replace areas of fewer than ``least`` pixels by their surroundings.

    Gaps in the paint are areas too: a small one is filled. The surroundings are what most of the
    pixels next to the area are; larger areas never change.
    """
    tidy = paint.copy()
    small = np.zeros(paint.shape, bool)
    for value in np.unique(paint):
        areas, n = ndimage.label(paint == value)
        sizes = np.bincount(areas.ravel(), minlength=n + 1)
        sizes[0] = least
        small |= (sizes < least)[areas]
    specks, n = ndimage.label(small)
    for number, place in enumerate(ndimage.find_objects(specks), 1):
        around = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in place)
        speck = specks[around] == number
        rim = ndimage.binary_dilation(speck) & ~speck
        if rim.any():
            neighbours = np.bincount(paint[around][rim])
            tidy[around][speck] = np.argmax(neighbours)
    return tidy
