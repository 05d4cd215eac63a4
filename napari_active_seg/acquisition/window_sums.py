"""Sums over all windows of a map, at a cost that does not grow with the window.

Rows between the edges of windows are added up first, then columns; what is left goes into a
float64 summed-area table with a leading zero row and column, and each window costs four reads of
it. At stride 1 every pixel is an edge and the table covers the map; at wide strides one pass over
the pixels is nearly all there is to do.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from napari_active_seg.errors import BadInputError, ConfigError

__all__ = ["window_maxima", "window_starts", "window_sums"]

#: Strips thinner than this on average are not worth adding up first.
_THIN = 1.5


def window_starts(length: int, window: int, stride: int) -> NDArray[np.intp]:
    """Return the first pixels of windows along one axis, the last flush with the border."""
    if window < 1 or stride < 1:
        raise ConfigError(f"window and stride must be 1 or more, got {window} and {stride}")
    if window >= length:
        return np.zeros(1, np.intp)
    starts = np.arange(0, length - window + 1, stride, dtype=np.intp)
    return starts if starts[-1] == length - window else np.append(starts, length - window)


def window_sums(
    values: NDArray[np.generic],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    height: int,
    width: int,
) -> NDArray[np.float64]:
    """Return the float64 sum of ``values`` (H, W) in the window at each of ``rows`` x ``columns``.

    BadInputError if a value is NaN or infinite.
    """
    tops, bottoms, row_edges = _edges(rows, height, values.shape[0])
    lefts, rights, column_edges = _edges(columns, width, values.shape[1])
    table = _table(values, row_edges, column_edges)
    if not np.isfinite(table[-1, -1]):
        raise BadInputError("the map holds NaN or infinity")
    strips = table[bottoms] - table[tops]
    sums: NDArray[np.float64] = strips[:, rights] - strips[:, lefts]
    return sums


def window_maxima(
    values: NDArray[np.generic],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    height: int,
    width: int,
) -> NDArray[np.float64]:
    """Return the highest of ``values`` in each window, in a time that does not grow with it."""
    if not np.isfinite(values).all():
        raise BadInputError("the map holds NaN or infinity")
    along = maximum_filter1d(values.astype(np.float64), width, axis=1, origin=-(width // 2))
    both = maximum_filter1d(along[:, columns], height, axis=0, origin=-(height // 2))
    highest: NDArray[np.float64] = both[rows]
    return highest


Index = slice | NDArray[np.intp]


def _edges(
    starts: NDArray[np.intp], extent: int, length: int
) -> tuple[Index, Index, NDArray[np.intp] | None]:
    """Return where windows begin and end in a table, and the pixels that its cells begin at.

    None stands for one cell a pixel.
    """
    ends = starts + extent
    edges = np.unique(np.concatenate((starts, ends)))
    if length < _THIN * len(edges):
        step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
        if len(starts) == 1 or (np.diff(starts) == step).all():
            last = int(starts[-1])
            return slice(0, last + 1, step), slice(extent, last + extent + 1, step), None
        return starts, ends, None
    return np.searchsorted(edges, starts), np.searchsorted(edges, ends), edges


def _table(
    values: NDArray[np.generic],
    row_edges: NDArray[np.intp] | None,
    column_edges: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Return the summed-area table of ``values`` at the edges, with a leading zero row and column.

    Edges are where windows begin and end; what lies before the first and after the last of them
    is in no window.
    """
    if row_edges is not None:
        pairs = itertools.pairwise(row_edges)
        values = np.stack([values[a:b].sum(axis=0, dtype=np.float64) for a, b in pairs])
    if column_edges is not None:
        inside = values[:, : column_edges[-1]]
        values = np.add.reduceat(inside, column_edges[:-1], axis=1, dtype=np.float64)
    table = np.empty((values.shape[0] + 1, values.shape[1] + 1))
    table[0] = 0.0
    table[:, 0] = 0.0
    before = table[0, 1:]
    for row, sums in zip(values, table[1:, 1:], strict=True):
        np.cumsum(row, dtype=np.float64, out=sums)
        np.add(sums, before, out=sums)
        before = sums
    return table
