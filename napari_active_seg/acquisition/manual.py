"""Fit a region that a person places by hand between the regions that are there already.

Regions never share a pixel: it would have two labels, which could contradict each other, and
would count twice in the labelled share and in what was spent.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import MaskedRegion, Region, RegionShape

__all__ = ["SMALLEST_SIDE", "box_between", "fit_between", "square_around"]

#: Smallest side of a region placed by hand, in pixels, as far as its image has them.
SMALLEST_SIDE = 16


def square_around(image_id: str, shape: tuple[int, int], y: int, x: int, *, size: int) -> Region:
    """Return the square about a pixel, moved into an image of ``shape`` (height, width).

    It has the whole length of an image that is smaller than ``size``.

    >>> square_around("a", (100, 40), 98, 20, size=64)
    Region(image_id='a', y=36, x=0, height=64, width=40)
    """
    height, width = min(size, shape[0]), min(size, shape[1])
    top = min(max(y - height // 2, 0), shape[0] - height)
    left = min(max(x - width // 2, 0), shape[1] - width)
    return Region(image_id, top, left, height, width)


def box_between(
    image_id: str, shape: tuple[int, int], start: tuple[int, int], end: tuple[int, int]
) -> Region:
    """Return the box with two pixels (y, x) as its corners, clipped to an image of ``shape``."""
    top, bottom = (min(max(v, 0), shape[0] - 1) for v in sorted((start[0], end[0])))
    left, right = (min(max(v, 0), shape[1] - 1) for v in sorted((start[1], end[1])))
    return Region(image_id, top, left, bottom - top + 1, right - left + 1)


def fit_between(
    wanted: Region, taken: Iterable[MaskedRegion], *, keep: tuple[int, int], shape: tuple[int, int]
) -> MaskedRegion:
    """Return the part of ``wanted`` that no place of ``taken`` covers, with the pixel ``keep``.

    It stays a rectangle next to rectangles; what belongs to another shape is left out pixel by
    pixel. BadInputError if too little is left for a region of an image of ``shape``.
    """
    least = min(SMALLEST_SIDE, shape[0]), min(SMALLEST_SIDE, shape[1])
    if wanted.height < least[0] or wanted.width < least[1]:
        raise BadInputError(
            f"a region needs {least[0]} x {least[1]} pixels at least, this one has "
            f"{wanted.height} x {wanted.width}: make it larger"
        )
    others = [place for place in taken if place.region.overlaps(wanted)]
    part = wanted
    for place in others:
        if place.shape is None and place.region.overlaps(part):
            part = _cut(part, place.region, keep)
    mask = np.ones(part.shape, bool)
    for place in others:
        if place.shape is not None and place.region.overlaps(part):
            mask &= ~_mask_within(place, part)
    too_small = part.height < least[0] or part.width < least[1]
    if too_small or int(mask.sum()) < least[0] * least[1]:
        free = f"{part.height} x {part.width}" if mask.all() else f"{int(mask.sum())}"
        raise BadInputError(
            f"only {free} pixels are free here, and a region needs {least[0]} x {least[1]}: "
            "choose a place with more free space, or an existing region"
        )
    return MaskedRegion(part, None if mask.all() else RegionShape.of(mask))


def _cut(part: Region, other: Region, keep: tuple[int, int]) -> Region:
    """Return the largest of the four rectangles around ``other`` that hold the pixel ``keep``."""
    y, x = keep
    rest = []
    if y < other.y:
        rest.append(Region(part.image_id, part.y, part.x, other.y - part.y, part.width))
    if y >= other.bottom:
        rest.append(
            Region(part.image_id, other.bottom, part.x, part.bottom - other.bottom, part.width)
        )
    if x < other.x:
        rest.append(Region(part.image_id, part.y, part.x, part.height, other.x - part.x))
    if x >= other.right:
        rest.append(
            Region(part.image_id, part.y, other.right, part.height, part.right - other.right)
        )
    if not rest:
        raise BadInputError(
            f"there is a region at y {y}, x {x} already: choose it, or another place"
        )
    return max(rest, key=lambda region: region.area)


def _mask_within(
    place: MaskedRegion, part: Region
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return which pixels of ``part`` belong to ``place``."""
    found = np.zeros(part.shape, bool)
    region = place.region
    top, bottom = max(region.y, part.y), min(region.bottom, part.bottom)
    left, right = max(region.x, part.x), min(region.right, part.right)
    found[top - part.y : bottom - part.y, left - part.x : right - part.x] = place.mask[
        top - region.y : bottom - region.y, left - region.x : right - region.x
    ]
    return found
