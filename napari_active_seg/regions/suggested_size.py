"""Suggest how large the square regions of a project should be.

A square that holds one class alone teaches little for the look that it takes. Where masks are
known, the share of squares with more than one class is measured for each size; elsewhere the
size of the images, and of their pixels, decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["REGION_SIZES", "SuggestedSize", "measure_mixed_squares", "suggest_region_size"]

#: Sizes that are suggested, in pixels a side.
REGION_SIZES = (64, 96, 128, 160, 192, 256, 384, 512)
#: The smallest size is taken at which this share of squares holds more than one class.
_ENOUGH_MIXED = 0.7
#: A square holds more than one class where its commonest one covers no more than this share.
_ALMOST_ALL = 0.99
#: Regions larger than this share of the shorter side are not suggested for their classes.
_MOST_OF_SIDE = 0.4
#: Without masks: this share of the shorter side.
_SHARE_OF_SIDE = 1 / 3
#: In images of cells and tissue a square this wide (in micrometres) shows several structures.
_TISSUE_UM = 100.0
#: Larger masks are measured on every second, third... pixel.
_MEASURED_SIDE = 1024
#: Pixels up to this many micrometres are those of a microscope.
_MICROSCOPE_UM = 2.0


@dataclass(frozen=True, slots=True)
class SuggestedSize:
    """A suggested side of square regions in pixels, with the evidence for it.

    ``share_of_side`` is its share of the images' shorter side. ``mixed`` is the share of squares
    of each size that hold more than one class, empty where no masks are known.
    """

    size: int
    share_of_side: float
    mixed: Mapping[int, float]

    @property
    def summary(self) -> str:
        """The suggestion in a sentence."""
        text = f"Suggested region size: {self.size} px"
        text += f", about {100 * self.share_of_side:.0f} % of the shorter side of an image"
        if self.size in self.mixed:
            share = 100 * self.mixed[self.size]
            text += f"; {share:.0f} % of such squares hold more than one class"
        return text


def suggest_region_size(
    shapes: Sequence[tuple[int, int]],
    *,
    mixed: Mapping[int, float] | None = None,
    spacing: float | None = None,
) -> SuggestedSize:
    """Return the size of regions that suits images of ``shapes`` (height, width).

    It is the smallest at which most squares hold more than one class. Where masks are not known,
    or objects are so sparse that only much larger squares are such, it is about a third of the
    shorter side, or what shows 100 micrometres of tissue.

    Parameters
    ----------
    mixed
        Share of squares of each size that hold more than one class, by ``measure_mixed_squares``.
    spacing
        Micrometres per pixel, where they are known.
    """
    shorter = round(median(min(shape) for shape in shapes))
    known = {size: share for size, share in sorted((mixed or {}).items()) if size <= shorter}
    enough = [size for size, share in known.items() if share >= _ENOUGH_MIXED]
    if enough and min(enough) <= _MOST_OF_SIDE * shorter:
        size = min(enough)
    else:
        size = _size_without_masks(shorter, spacing)
    return SuggestedSize(size, size / shorter, known)


def measure_mixed_squares(
    masks: Iterable[NDArray[np.integer]], *, sizes: Sequence[int] = REGION_SIZES
) -> dict[int, float]:
    """Return the share of squares of each size that hold more than one class.

    ``masks`` (H, W) hold classes, 0 for the background and 255 for "not labelled". Squares count
    that lie on labelled pixels, no further than their own side from what is not background:
    elsewhere no region is proposed. Sizes that fit into no mask are left out.
    """
    counts = dict.fromkeys(sizes, (0, 0))
    for mask in masks:
        tables = _ClassSums(mask)
        for size in sizes:
            if size <= min(mask.shape):
                found, total = tables.count_mixed(size)
                counts[size] = (counts[size][0] + found, counts[size][1] + total)
    return {size: found / total for size, (found, total) in counts.items() if total}


def _size_without_masks(shorter: int, spacing: float | None) -> int:
    wanted = shorter * _SHARE_OF_SIDE
    if spacing is not None and spacing <= _MICROSCOPE_UM:
        wanted = min(wanted, _TISSUE_UM / spacing)
    fitting = [size for size in REGION_SIZES if size <= shorter] or [shorter]
    return min(fitting, key=lambda size: abs(math.log(size / wanted)))


class _ClassSums:
    """Sums over rectangles of each class of a mask, by summed-area tables."""

    def __init__(self, mask: NDArray[np.integer]) -> None:
        self._step = max(1, max(mask.shape) // _MEASURED_SIDE)
        mask = mask[:: self._step, :: self._step]
        self._shape = (mask.shape[0], mask.shape[1])
        classes = [value for value in np.unique(mask).tolist() if value != UNLABELLED]
        self._tables = {value: _summed_area_table(mask == value) for value in classes}

    def count_mixed(self, size: int) -> tuple[int, int]:
        """Return how many squares of ``size`` hold more than one class, and how many count."""
        size = min(size // self._step, *self._shape)
        stride = max(1, size // 8)
        top, left = (_starts(length, size, stride) for length in self._shape)
        inside = {
            value: _sums(table, top, left, size, margin=0) for value, table in self._tables.items()
        }
        marked = np.zeros((len(top), len(left)), bool)
        for value, table in self._tables.items():
            if value != 0:
                marked |= _sums(table, top, left, size, margin=size) > 0
        if not marked.any():
            return 0, 0
        per_class = np.stack(list(inside.values()))
        labelled = per_class.sum(axis=0)
        counted = marked & (labelled >= _ALMOST_ALL * size**2)
        mixed = per_class.max(axis=0) <= _ALMOST_ALL * labelled
        return int((mixed & counted).sum()), int(counted.sum())


def _summed_area_table(where: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.pad(where.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _starts(length: int, size: int, stride: int) -> NDArray[np.intp]:
    return np.unique(np.append(np.arange(0, length - size, stride), length - size))


def _sums(
    table: NDArray[np.int64],
    top: NDArray[np.intp],
    left: NDArray[np.intp],
    size: int,
    *,
    margin: int,
) -> NDArray[np.int64]:
    """Return the sums over squares, made larger by ``margin`` on each side."""
    height, width = table.shape[0] - 1, table.shape[1] - 1
    y0, y1 = np.maximum(top - margin, 0), np.minimum(top + size + margin, height)
    x0, x1 = np.maximum(left - margin, 0), np.minimum(left + size + margin, width)
    return (
        table[np.ix_(y1, x1)]
        - table[np.ix_(y0, x1)]
        - table[np.ix_(y1, x0)]
        + (table[np.ix_(y0, x0)])
    )
