"""Sums over all windows of a map, at a cost that does not grow with the window.

First along columns, then along rows: at stride 1 by float64 running sums with a leading zero, of
which each window takes two; at wide strides pixels between the edges of windows are added up first,
and one pass over the pixels is nearly all there is to do. Working memory is kept between maps:
allocating it again takes longer than the sums do (``benchmarks/regions.py``).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from napari_active_seg.errors import BadInputError, ConfigError

__all__ = ["WindowAxis", "window_axis", "window_maxima", "window_sums"]

#: Strips thinner than this on average are not worth adding up first.
_THIN = 1.5
#: Working memory of more numbers than this is given back at once.
_MOST_KEPT = 4_000_000

Index = slice | NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class WindowAxis:
    """Windows along one axis: where they start, and where they begin and end in running sums.

    ``edges`` are the pixels at which running sums are known; None stands for all.
    """

    starts: NDArray[np.intp]
    extent: int
    begins: Index
    ends: Index
    edges: NDArray[np.intp] | None


@lru_cache(maxsize=512)
def window_axis(length: int, window: int, stride: int) -> WindowAxis:
    """Return the windows along an axis, the last flush with its end; one where it is shorter."""
    if window < 1 or stride < 1:
        raise ConfigError(f"window and stride must be 1 or more, got {window} and {stride}")
    extent = min(window, length)
    starts = np.arange(0, length - extent + 1, stride, dtype=np.intp)
    if starts[-1] != length - extent:
        starts = np.append(starts, length - extent)
    edges = np.unique(np.concatenate((starts, starts + extent)))
    if length >= _THIN * len(edges):
        begins, ends = (np.searchsorted(edges, at) for at in (starts, starts + extent))
        return WindowAxis(starts, extent, begins, ends, edges)
    if stride == 1:
        n = len(starts)
        return WindowAxis(starts, extent, slice(0, n), slice(extent, extent + n), None)
    return WindowAxis(starts, extent, starts, starts + extent, None)


def window_sums(
    values: NDArray[np.generic], rows: WindowAxis, columns: WindowAxis, *, scale: float = 1.0
) -> NDArray[np.float64]:
    """Return the sum of ``values`` (H, W) times ``scale`` in each window, in float64.

    BadInputError if a value is NaN or infinite.
    """
    down = _running_down(values, rows.edges, scale)
    if not np.isfinite(down[-1]).all():
        raise BadInputError("the map holds NaN or infinity")
    along = _running_along(_between(down, rows), columns.edges)
    sums: NDArray[np.float64] = along[:, columns.ends] - along[:, columns.begins]
    return sums


def window_maxima(
    values: NDArray[np.generic], rows: WindowAxis, columns: WindowAxis
) -> NDArray[np.float64]:
    """Return the highest of ``values`` in each window, in a time that does not grow with it."""
    if not np.isfinite(values).all():
        raise BadInputError("the map holds NaN or infinity")
    width, height = columns.extent, rows.extent
    along = maximum_filter1d(values.astype(np.float64), width, axis=1, origin=-(width // 2))
    both = maximum_filter1d(along[:, columns.starts], height, axis=0, origin=-(height // 2))
    highest: NDArray[np.float64] = both[rows.starts]
    return highest


def _running_down(
    values: NDArray[np.generic], edges: NDArray[np.intp] | None, scale: float
) -> NDArray[np.float64]:
    """Return running sums of the rows up to each edge, the first being 0."""
    n = values.shape[0] if edges is None else len(edges) - 1
    sums = _scratch("down", (n + 1, values.shape[1]))
    sums[0] = 0.0
    if edges is None:
        np.multiply(values, scale, out=sums[1:], dtype=np.float64)
    else:
        for strip, (top, bottom) in zip(sums[1:], pairwise(edges.tolist()), strict=True):
            np.add.reduce(values[top:bottom], axis=0, dtype=np.float64, out=strip)
        sums[1:] *= scale
    for before, row in pairwise(sums):
        np.add(before, row, out=row)
    return sums


def _between(sums: NDArray[np.float64], rows: WindowAxis) -> NDArray[np.float64]:
    """Return what lies between begin and end of each window."""
    strips = _scratch("strips", (len(rows.starts), sums.shape[1]))
    return np.subtract(sums[rows.ends], sums[rows.begins], out=strips)


def _running_along(
    strips: NDArray[np.float64], edges: NDArray[np.intp] | None
) -> NDArray[np.float64]:
    """Return running sums of the columns up to each edge, the first being 0."""
    if edges is not None:
        strips = np.add.reduceat(strips[:, : edges[-1]], edges[:-1], axis=1)
    sums = _scratch("along", (strips.shape[0], strips.shape[1] + 1))
    sums[:, 0] = 0.0
    np.add.accumulate(strips, axis=1, out=sums[:, 1:])
    return sums


_kept = threading.local()


def _scratch(name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return working memory of this thread, which the next sums overwrite."""
    size = shape[0] * shape[1]
    if size > _MOST_KEPT:
        return np.empty(shape)
    flat: NDArray[np.float64] | None = getattr(_kept, name, None)
    if flat is None or flat.size < size:
        flat = np.empty(size)
        setattr(_kept, name, flat)
    return flat[:size].reshape(shape)
