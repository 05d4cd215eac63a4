"""Splits a row of fine bins into parts of about equally many pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_equal_mass_starts"]


def find_equal_mass_starts(counts: NDArray[np.int64], n_parts: int) -> list[int]:
    """Return where each part begins; pixels of one bin stay together, so there may be fewer."""
    total, filled = int(counts.sum()), np.cumsum(counts)
    starts = [0]
    for number in range(1, n_parts):
        end = int(np.searchsorted(filled, number * total / n_parts)) + 1
        if starts[-1] < end < len(filled) and filled[end - 1] < total:
            starts.append(end)
    return starts
