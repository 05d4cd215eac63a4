"""Squares out of a plane that may reach beyond its borders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut_window"]


def cut_window(
    plane: NDArray[np.uint8], top: int, left: int, side: int, *, fill: int | None = None
) -> NDArray[np.uint8]:
    """Return the square of ``side`` pixels at (top, left) of ``plane`` (H, W) or (H, W, 3).

    What lies outside is mirrored, or ``fill``.
    """
    height, width = plane.shape[:2]
    if 0 <= top <= height - side and 0 <= left <= width - side:
        return plane[top : top + side, left : left + side].copy()
    rows, columns = np.arange(top, top + side), np.arange(left, left + side)
    if fill is None:
        return plane[np.ix_(_mirror(rows, height), _mirror(columns, width))]
    window = plane[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))].copy()
    window[(rows < 0) | (rows >= height)] = fill
    window[:, (columns < 0) | (columns >= width)] = fill
    return window


def _mirror(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Return places outside 0..length - 1 folded back, the border pixel twice."""
    folded = places % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)
