"""Where to part a row of fine bins so that each part holds about as many pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["equal_mass_starts"]


def equal_mass_starts(counts: NDArray[np.int64], n_parts: int) -> list[int]:
    """Return where each part begins; what shares a bin stays together, so there may be fewer."""
    total, filled = int(counts.sum()), np.cumsum(counts)
    starts = [0]
    for number in range(1, n_parts):
        end = int(np.searchsorted(filled, number * total / n_parts)) + 1
        if starts[-1] < end < len(filled) and filled[end - 1] < total:
            starts.append(end)
    return starts
