"""The area to label: a rectangle, or the pixels of it that belong to a shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions.region import Region
from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["MaskedRegion", "RegionShape", "fill_outside_shape", "make_mask"]


@dataclass(frozen=True, slots=True)
class RegionShape:
    """Which pixels of a rectangle belong to a polygon or superpixel, as packed bits."""

    height: int
    width: int
    bits: bytes

    def __post_init__(self) -> None:
        if len(self.bits) != (self.height * self.width + 7) // 8:
            raise BadInputError(f"a shape of {self.height} x {self.width} has other bits")

    @staticmethod
    def of(mask: NDArray[np.bool_]) -> RegionShape:
        """Return the shape of a mask (h, w) that holds a pixel at least."""
        if not mask.any():
            raise BadInputError("a shape needs a pixel at least")
        return RegionShape(mask.shape[0], mask.shape[1], np.packbits(mask).tobytes())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The pixels (h, w) that belong to it."""
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.height * self.width)
        return bits.reshape(self.height, self.width).astype(bool)


@dataclass(frozen=True, slots=True)
class MaskedRegion:
    """A region, or the pixels of it that belong to ``shape``."""

    region: Region
    shape: RegionShape | None = None

    def __post_init__(self) -> None:
        if self.shape is not None and (self.shape.height, self.shape.width) != self.region.shape:
            raise BadInputError(f"a shape does not fit {self.region}")

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The pixels (h, w) of the region that may be painted."""
        return np.ones(self.region.shape, bool) if self.shape is None else self.shape.mask

    @property
    def pixels(self) -> int:
        """How many pixels may be painted."""
        return self.region.area if self.shape is None else int(self.shape.mask.sum())

    def overlaps(self, other: MaskedRegion) -> bool:
        """Return whether the two share at least one pixel."""
        if not self.region.overlaps(other.region):
            return False
        if self.shape is None and other.shape is None:
            return True
        one, two = self.region, other.region
        top, bottom = max(one.y, two.y), min(one.bottom, two.bottom)
        left, right = max(one.x, two.x), min(one.right, two.right)
        first, second = (
            place.mask[
                top - place.region.y : bottom - place.region.y,
                left - place.region.x : right - place.region.x,
            ]
            for place in (self, other)
        )
        return bool((first & second).any())

    def coarser(self, step: int, shape: tuple[int, int]) -> MaskedRegion:
        """Return the region in a map of ``shape`` that has a pixel for each square of ``step``.

        A pixel of the map belongs to it if any of its square does.
        """
        if step == 1:
            return self
        region, (height, width) = self.region, shape
        top, left = min(region.y // step, height - 1), min(region.x // step, width - 1)
        bottom = max(min(-(-region.bottom // step), height), top + 1)
        right = max(min(-(-region.right // step), width), left + 1)
        around = Region(region.image_id, top, left, bottom - top, right - left)
        if self.shape is None:
            return MaskedRegion(around)
        rows, columns = np.nonzero(self.shape.mask)
        mask = np.zeros(around.shape, bool)
        down = np.minimum((rows + region.y) // step, bottom - 1) - top
        across = np.minimum((columns + region.x) // step, right - 1) - left
        mask[down, across] = True
        return MaskedRegion(around, None if mask.all() else RegionShape.of(mask))

    def finer(self, step: int) -> MaskedRegion:
        """Return the region in full resolution of a region of a map with one pixel in ``step``."""
        if step == 1:
            return self
        r = self.region
        region = Region(r.image_id, *(value * step for value in (r.y, r.x, r.height, r.width)))
        if self.shape is None:
            return MaskedRegion(region)
        return MaskedRegion(
            region, RegionShape.of(np.kron(self.shape.mask, np.ones((step, step), bool)))
        )

    @staticmethod
    def of_mask(image_id: str, mask: NDArray[np.bool_], y: int = 0, x: int = 0) -> MaskedRegion:
        """Return the region of the True pixels of ``mask``, whose first pixel lies at (y, x)."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            raise BadInputError("a place needs a pixel at least")
        top, left = int(rows[0]), int(columns[0])
        part = mask[top : rows[-1] + 1, left : columns[-1] + 1]
        region = Region(image_id, y + top, x + left, *part.shape)
        return MaskedRegion(region, None if part.all() else RegionShape.of(part))


def make_mask(shape: tuple[int, int], places: Iterable[MaskedRegion]) -> NDArray[np.bool_]:
    """Return which pixels of an image of ``shape`` lie in one of ``places``."""
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place.region.slices] |= place.mask
    return mask


def fill_outside_shape(target: NDArray[np.uint8], shape: RegionShape | None) -> NDArray[np.uint8]:
    """Return a target (h, w) with nothing labelled outside ``shape``."""
    return target if shape is None else np.where(shape.mask, target, np.uint8(UNLABELLED))
