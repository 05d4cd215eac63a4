"""Reliability bins over any number of pixels, and the expected calibration error.

Bins are (lo, hi], with 0 in the first and 1 in the last. Counts are int64 and sums are
float64: a float32 count stops growing at 2^24, which a handful of images exceeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["ReliabilityBins"]


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityBins:
    """Counts and sums of confidence and of hits in K equal-width bins."""

    counts: NDArray[np.int64]  # (K,)
    confidence_sums: NDArray[np.float64]  # (K,)
    hits: NDArray[np.int64]  # (K,)

    @staticmethod
    def empty(n_bins: int = 15) -> ReliabilityBins:
        """Return bins that have seen nothing yet."""
        if n_bins < 1:
            raise BadInputError(f"n_bins must be 1 or more, got {n_bins}")
        zeros = np.zeros(n_bins, np.int64)
        return ReliabilityBins(zeros, np.zeros(n_bins), zeros.copy())

    @property
    def n_bins(self) -> int:
        """Number of bins K."""
        return len(self.counts)

    @property
    def edges(self) -> NDArray[np.float64]:
        """Bin edges, K + 1 values from 0 to 1."""
        return np.linspace(0.0, 1.0, self.n_bins + 1)

    def add(self, probs: NDArray[np.floating], target: NDArray[np.uint8]) -> ReliabilityBins:
        """Return bins with the labelled pixels of (C, H, W) ``probs`` added."""
        if probs.shape[1:] != target.shape:
            raise BadInputError(f"probs {probs.shape} and target {target.shape} do not match")
        labelled = target != UNLABELLED
        confidence = probs.max(axis=0)[labelled].astype(np.float64)
        hit = probs.argmax(axis=0)[labelled] == target[labelled]
        index = np.searchsorted(self.edges[1:-1], confidence, side="left")
        k = self.n_bins
        return ReliabilityBins(
            self.counts + np.bincount(index, minlength=k),
            self.confidence_sums + np.bincount(index, weights=confidence, minlength=k),
            self.hits + np.bincount(index[hit], minlength=k),
        )

    def __add__(self, other: ReliabilityBins) -> ReliabilityBins:
        return ReliabilityBins(
            self.counts + other.counts,
            self.confidence_sums + other.confidence_sums,
            self.hits + other.hits,
        )

    @property
    def mean_confidence(self) -> NDArray[np.float64]:
        """Mean confidence in each bin; NaN where a bin is empty."""
        return _ratio(self.confidence_sums, self.counts)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of right pixels in each bin; NaN where a bin is empty."""
        return _ratio(self.hits.astype(np.float64), self.counts)

    @property
    def expected_calibration_error(self) -> float:
        """Mean over pixels of |accuracy - confidence| of their bin; NaN without pixels."""
        total = int(self.counts.sum())
        if total == 0:
            return float("nan")
        return float(np.abs(self.hits - self.confidence_sums).sum() / total)


def _ratio(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(len(counts), np.nan)
    np.divide(sums, counts, out=out, where=counts > 0)
    return out
