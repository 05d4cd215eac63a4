"""Outlines with holes as pixels: a pixel belongs to an outline that holds its centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.regions import Region

__all__ = ["Outline", "PixelMask", "Ring", "RunLengths", "Shape"]

Ring = NDArray[np.float64]  # (N, 2) of (x, y); pixel (0, 0) covers 0..1 x 0..1


class Shape(Protocol):
    """Something drawn on an image: a class and a place."""

    @property
    def value(self) -> int:
        """The class, 255 for not labelled."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(top, left, bottom, right)``."""

    @property
    def area(self) -> float:
        """Area in pixels."""

    def fill(self, target: NDArray[np.uint8], window: Region) -> None:
        """Write the value where the pixels of ``window`` are inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A class and the rings that bound it: an outer one and its holes, by the even-odd rule."""

    value: int
    rings: tuple[Ring, ...]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(top, left, bottom, right)`` of the outer ring."""
        points = np.concatenate(self.rings)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(top), float(left), float(bottom), float(right)

    @property
    def area(self) -> float:
        """Area of the outer ring less those of the holes, in pixels."""
        outer, *holes = (abs(_signed_area(ring)) for ring in self.rings)
        return outer - sum(holes)

    def fill(self, target: NDArray[np.uint8], window: Region) -> None:
        """Write the value where the pixels of ``window`` have their centres inside."""
        top, _, bottom, _ = self.bounds
        first = max(window.y, int(np.floor(top)))
        last = min(window.bottom, int(np.ceil(bottom)))
        starts, ends = _edges(self.rings)
        for row in range(first, last):
            crossings = _crossings(starts, ends, row + 0.5)
            for left, right in zip(crossings[::2], crossings[1::2], strict=False):
                begin = max(int(np.ceil(left - 0.5)), window.x)
                end = min(int(np.ceil(right - 0.5)), window.right)
                if end > begin:
                    target[row - window.y, begin - window.x : end - window.x] = self.value


@dataclass(frozen=True, slots=True, eq=False)
class RunLengths:
    """A class and the pixels that it has, as COCO's runs down the columns.

    ``counts`` are the lengths of runs of pixels outside and inside in turn.
    """

    value: int
    shape: tuple[int, int]
    counts: NDArray[np.int64]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(top, left, bottom, right)``."""
        rows, columns = np.nonzero(self._mask())
        if len(rows) == 0:
            return 0.0, 0.0, 0.0, 0.0
        return float(rows.min()), float(columns.min()), rows.max() + 1.0, columns.max() + 1.0

    @property
    def area(self) -> float:
        """Number of pixels."""
        return float(self.counts[1::2].sum())

    def fill(self, target: NDArray[np.uint8], window: Region) -> None:
        """Write the value where the pixels of ``window`` are inside."""
        part = self._mask()[window.slices]
        target[: part.shape[0], : part.shape[1]][part] = self.value

    def _mask(self) -> NDArray[np.bool_]:
        inside = np.arange(len(self.counts)) % 2 == 1
        flat: NDArray[np.bool_] = np.repeat(inside, self.counts)
        return flat.reshape(self.shape[1], self.shape[0]).T


@dataclass(frozen=True, slots=True, eq=False)
class PixelMask:
    """A class and a mask (h, w) whose first pixel lies at (``y``, ``x``)."""

    value: int
    y: int
    x: int
    mask: NDArray[np.bool_]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(top, left, bottom, right)``."""
        height, width = self.mask.shape
        return float(self.y), float(self.x), float(self.y + height), float(self.x + width)

    @property
    def area(self) -> float:
        """Number of pixels."""
        return float(self.mask.sum())

    def fill(self, target: NDArray[np.uint8], window: Region) -> None:
        """Write the value where the pixels of ``window`` are inside."""
        height, width = self.mask.shape
        top, bottom = max(self.y, window.y), min(self.y + height, window.bottom)
        left, right = max(self.x, window.x), min(self.x + width, window.right)
        if top >= bottom or left >= right:
            return
        part = self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x]
        place = target[top - window.y : bottom - window.y, left - window.x : right - window.x]
        place[part] = self.value


def _signed_area(ring: Ring) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _edges(rings: Sequence[Ring]) -> tuple[Ring, Ring]:
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    return starts, ends


def _crossings(starts: Ring, ends: Ring, y: float) -> NDArray[np.float64]:
    """Return where the line at height ``y`` crosses the edges, from left to right."""
    crosses = (starts[:, 1] <= y) != (ends[:, 1] <= y)
    a, b = starts[crosses], ends[crosses]
    share = (y - a[:, 1]) / (b[:, 1] - a[:, 1])
    x: NDArray[np.float64] = a[:, 0] + share * (b[:, 0] - a[:, 0])
    x.sort()
    return x
