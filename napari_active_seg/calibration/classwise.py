"""Each class against the rest: class-wise calibration error, and what the Brier score is made of.

For one class with probabilities p and outcomes y in {0, 1}, binned by p, the Brier score is exactly

    mean (p - y)^2 = reliability - resolution + uncertainty + within-bin variance
                     - within-bin covariance

    reliability           sum_k n_k / N (mean p_k - mean y_k)^2
    resolution            sum_k n_k / N (mean y_k - mean y)^2
    uncertainty           mean y (1 - mean y)
    within-bin variance   mean over pixels of (p - mean p_k)^2
    within-bin covariance 2 mean over pixels of (p - mean p_k)(y - mean y_k)

after Stephenson et al. 2008. Leaving the last two out is only exact where a bin holds one value of
p; partitions by the winning class do not add up at all. Summed over classes it is the multi-class
score in 0..2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["BrierParts", "OneVsRestBins"]


@dataclass(frozen=True, slots=True)
class BrierParts:
    """The decomposition of a Brier score; ``total`` is their sum."""

    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float

    @property
    def total(self) -> float:
        """The Brier score."""
        return (
            self.reliability
            - self.resolution
            + self.uncertainty
            + self.within_variance
            - self.within_covariance
        )

    def __add__(self, other: BrierParts) -> BrierParts:
        return BrierParts(
            self.reliability + other.reliability,
            self.resolution + other.resolution,
            self.uncertainty + other.uncertainty,
            self.within_variance + other.within_variance,
            self.within_covariance + other.within_covariance,
        )


@dataclass(frozen=True, slots=True, eq=False)
class OneVsRestBins:
    """Sums over K equal-width bins of each class's probability, (lo, hi] with 0 in the first."""

    counts: NDArray[np.int64]  # (C, K)
    hits: NDArray[np.int64]  # (C, K), pixels of the class
    p_sums: NDArray[np.float64]  # (C, K)
    square_sums: NDArray[np.float64]  # (C, K), of p^2
    hit_sums: NDArray[np.float64]  # (C, K), of p where the pixel is of the class

    @staticmethod
    def empty(n_classes: int, n_bins: int = 15) -> OneVsRestBins:
        """Return empty bins."""
        if n_classes < 2 or n_bins < 1:
            raise BadInputError(f"2 classes and 1 bin at least, got {n_classes} and {n_bins}")
        shape = (n_classes, n_bins)
        counts, sums = np.zeros(shape, np.int64), np.zeros(shape)
        return OneVsRestBins(counts, counts.copy(), sums, sums.copy(), sums.copy())

    @property
    def n_pixels(self) -> int:
        """Number of labelled pixels seen."""
        return int(self.counts[0].sum())

    def add(self, probs: NDArray[np.floating], target: NDArray[np.uint8]) -> OneVsRestBins:
        """Return bins with the labelled pixels of (C, H, W) ``probs`` added."""
        n_classes, k = self.counts.shape
        if probs.shape != (n_classes, *target.shape):
            raise BadInputError(f"probs {probs.shape} and target {target.shape} do not match")
        labelled = target != UNLABELLED
        truth = target[labelled]
        inner = np.linspace(0.0, 1.0, k + 1)[1:-1]
        new = OneVsRestBins.empty(n_classes, k)
        for c in range(n_classes):
            p = probs[c][labelled].astype(np.float64)
            index = np.searchsorted(inner, p, side="left")
            own = truth == c
            new.counts[c] = np.bincount(index, minlength=k)
            new.hits[c] = np.bincount(index[own], minlength=k)
            new.p_sums[c] = np.bincount(index, weights=p, minlength=k)
            new.square_sums[c] = np.bincount(index, weights=p * p, minlength=k)
            new.hit_sums[c] = np.bincount(index[own], weights=p[own], minlength=k)
        return self + new

    def __add__(self, other: OneVsRestBins) -> OneVsRestBins:
        return OneVsRestBins(
            self.counts + other.counts,
            self.hits + other.hits,
            self.p_sums + other.p_sums,
            self.square_sums + other.square_sums,
            self.hit_sums + other.hit_sums,
        )

    @property
    def class_wise_error(self) -> float:
        """Mean over classes of the calibration error of each; NaN without pixels."""
        n = self.n_pixels
        if n == 0:
            return float("nan")
        return float(np.abs(self.hits - self.p_sums).sum(axis=1).mean() / n)

    def brier_parts(self, which: int) -> BrierParts:
        """Return the decomposition of the Brier score of one class; NaN without pixels."""
        n = float(self.n_pixels)
        full = self.counts[which] > 0
        if n == 0 or not full.any():
            return BrierParts(*([float("nan")] * 5))
        counts = self.counts[which][full].astype(np.float64)
        p, y = self.p_sums[which][full] / counts, self.hits[which][full] / counts
        overall = float(self.hits[which].sum() / n)
        variance = self.square_sums[which][full] - counts * p * p
        covariance = self.hit_sums[which][full] - counts * p * y
        return BrierParts(
            reliability=float((counts * (p - y) ** 2).sum() / n),
            resolution=float((counts * (y - overall) ** 2).sum() / n),
            uncertainty=overall * (1 - overall),
            within_variance=float(variance.sum() / n),
            within_covariance=float(2 * covariance.sum() / n),
        )

    @property
    def all_brier_parts(self) -> BrierParts:
        """The decomposition of the multi-class Brier score: the sum over classes."""
        parts = [self.brier_parts(which) for which in range(len(self.counts))]
        return sum(parts[1:], parts[0])
