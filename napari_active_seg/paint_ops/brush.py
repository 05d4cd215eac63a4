"""Masks of brush strokes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["stroke_mask"]


def stroke_mask(
    points: Sequence[tuple[float, float]], radius: float, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the pixels (H, W) whose centres come within ``radius`` of a line of (y, x) points.

    Pixel (0, 0) covers 0 to 1 both ways, so that its centre is at (0.5, 0.5). The line may leave
    the picture; a single point is a dab.

    >>> stroke_mask([(1.5, 1.5)], 1.0, (3, 3)).sum()
    np.int64(5)
    """
    covered = np.zeros(shape, bool)
    if not points:
        return covered
    ends = points[1:] if len(points) > 1 else points
    for (y0, x0), (y1, x1) in zip(points, ends, strict=False):
        window = tuple(
            slice(max(0, math.floor(min(a, b) - radius)), max(0, math.ceil(max(a, b) + radius)))
            for a, b in ((y0, y1), (x0, x1))
        )
        part = covered[window]
        if part.size == 0:
            continue
        rows = np.arange(window[0].start, window[0].start + part.shape[0])[:, None] + 0.5 - y0
        columns = np.arange(window[1].start, window[1].start + part.shape[1])[None, :] + 0.5 - x0
        length = (y1 - y0) ** 2 + (x1 - x0) ** 2
        along = (rows * (y1 - y0) + columns * (x1 - x0)) / length if length else np.zeros(())
        along = np.clip(along, 0.0, 1.0)
        away = (rows - along * (y1 - y0)) ** 2 + (columns - along * (x1 - x0)) ** 2
        part |= away <= radius**2
    return covered
