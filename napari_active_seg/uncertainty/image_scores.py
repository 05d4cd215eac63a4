"""Scores of whole images, computed from uncertainty maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.uncertainty.measures import predictive_entropy
from napari_active_seg.uncertainty.moments import Moments

__all__ = ["count_above", "high_entropy_count"]

#: The threshold of the "parting with illusions" study, on entropy divided by log C.
HIGH_ENTROPY = 0.6


def count_above(uncertainty: NDArray[np.floating], threshold: float) -> int:
    """Return how many pixels of a map lie above ``threshold``; NaN never does."""
    return int(np.count_nonzero(uncertainty > threshold))


def high_entropy_count(moments: Moments, threshold: float = HIGH_ENTROPY) -> int:
    """Return how many pixels have a normalised predictive entropy above ``threshold``."""
    return count_above(
        predictive_entropy(moments) / np.log(moments.n_classes).astype(np.float32), threshold
    )
