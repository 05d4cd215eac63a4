"""Masks of closed loops drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage import draw

__all__ = ["lasso_mask"]


def lasso_mask(points: Sequence[tuple[float, float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) inside a loop of (y, x) points, which is closed automatically.

    A loop of fewer than three points holds nothing; it may leave the picture.
    """
    inside = np.zeros(shape, bool)
    if len(points) >= 3:
        corners = np.asarray(points, float)
        inside[draw.polygon(corners[:, 0], corners[:, 1], shape)] = True
    return inside
