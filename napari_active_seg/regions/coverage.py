"""Counting labelled pixels once, however many regions they lie in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.regions.label import RegionLabel
from napari_active_seg.regions.masked_region import MaskedRegion
from napari_active_seg.regions.region import Region
from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["Coverage", "count_labelled_pixels", "count_pixels"]


class Coverage:
    """Which pixels of a set of images are covered, without a mask as large as an image.

    >>> coverage = Coverage()
    >>> coverage.add(Region("a", 0, 0, 4, 4)), coverage.add(Region("a", 2, 0, 4, 4))
    (16, 8)
    >>> coverage.pixels
    24
    """

    def __init__(self) -> None:
        self.pixels = 0
        self._added: defaultdict[str, list[tuple[Region, NDArray[np.bool_] | None]]] = defaultdict(
            list
        )

    def add(self, region: Region, mask: NDArray[np.bool_] | None = None) -> int:
        """Cover a region, or the True pixels (h, w) of it; return how many are new."""
        earlier = [
            (other, covered)
            for other, covered in self._added[region.image_id]
            if other.overlaps(region)
        ]
        self._added[region.image_id].append((region, mask))
        if not earlier:
            new = region.area if mask is None else int(np.count_nonzero(mask))
        else:
            left = np.ones(region.shape, bool) if mask is None else mask.copy()
            for other, covered in earlier:
                top, bottom = max(region.y, other.y), min(region.bottom, other.bottom)
                start, end = max(region.x, other.x), min(region.right, other.right)
                here = (
                    slice(top - region.y, bottom - region.y),
                    slice(start - region.x, end - region.x),
                )
                there = (
                    slice(top - other.y, bottom - other.y),
                    slice(start - other.x, end - other.x),
                )
                left[here] &= False if covered is None else ~covered[there]
            new = int(np.count_nonzero(left))
        self.pixels += new
        return new

    def add_place(self, place: MaskedRegion) -> int:
        """Cover a masked region; return how many of its pixels are new."""
        return self.add(place.region, None if place.shape is None else place.mask)


def count_pixels(places: Iterable[MaskedRegion]) -> int:
    """Return how many pixels lie in at least one of ``places``."""
    coverage = Coverage()
    for place in places:
        coverage.add_place(place)
    return coverage.pixels


def count_labelled_pixels(labels: Iterable[RegionLabel]) -> int:
    """Return how many pixels have a class in at least one of ``labels``."""
    coverage = Coverage()
    for label in labels:
        coverage.add(label.region, label.target != UNLABELLED)
    return coverage.pixels
