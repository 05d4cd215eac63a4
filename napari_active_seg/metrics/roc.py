"""Area under the ROC curve: how often a positive is ranked above a negative.

``roc_auc`` is exact and sorts all scores at once; ``BinnedRoc`` takes any number of them in
constant memory and counts scores of one bin as equal, so that it differs by at most half the share
of pairs that fall into the same bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from napari_active_seg.errors import BadInputError

__all__ = ["BinnedRoc", "roc_auc"]


def roc_auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC curve, ties counting half; NaN where one side is missing."""
    values, is_positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if values.ndim != 1 or values.shape != is_positive.shape:
        raise BadInputError(
            f"scores {values.shape} and positive {is_positive.shape} must be alike and flat"
        )
    if np.isnan(values).any():
        raise BadInputError("scores hold NaN; nothing can be ranked by them")
    n_positive = int(is_positive.sum())
    n_negative = len(values) - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(values)[is_positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


@dataclass(frozen=True, slots=True, eq=False)
class BinnedRoc:
    """Counts of negatives and positives in equal bins of scores in 0..1."""

    counts: NDArray[np.int64]  # (2, K): negatives, positives

    @staticmethod
    def empty(n_bins: int = 65_536) -> BinnedRoc:
        """Return empty bins."""
        if n_bins < 1:
            raise BadInputError(f"n_bins must be 1 or more, got {n_bins}")
        return BinnedRoc(np.zeros((2, n_bins), np.int64))

    def add(self, scores: ArrayLike, positive: ArrayLike) -> BinnedRoc:
        """Return bins with scores in 0..1 added."""
        values, is_positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
        if values.shape != is_positive.shape:
            raise BadInputError(f"scores {values.shape} and positive {is_positive.shape} differ")
        if not ((values >= 0) & (values <= 1)).all():
            raise BadInputError("scores must lie in 0..1")
        k = self.counts.shape[1]
        place = np.minimum((values * k).astype(np.int64), k - 1)
        added = [np.bincount(place[is_positive == side], minlength=k) for side in (False, True)]
        return BinnedRoc(self.counts + np.array(added))

    def __add__(self, other: BinnedRoc) -> BinnedRoc:
        return BinnedRoc(self.counts + other.counts)

    @property
    def auc(self) -> float:
        """Area under the ROC curve, scores of one bin being equal; NaN where one side is empty."""
        negatives, positives = self.counts.astype(np.float64)
        pairs = negatives.sum() * positives.sum()
        if pairs == 0:
            return float("nan")
        below = np.cumsum(negatives) - negatives
        return float((positives * (below + 0.5 * negatives)).sum() / pairs)
