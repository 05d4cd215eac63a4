"""Pixel scores from one streamed confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["ConfusionMatrix"]


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionMatrix:
    """Pixel counts (C, C): rows are labels, columns are predictions.

    Scores are pooled over all pixels that were added; add one image to get its own scores.
    A class that appears in neither label nor prediction scores NaN and is left out of means.
    """

    counts: NDArray[np.int64]

    @staticmethod
    def empty(n_classes: int) -> ConfusionMatrix:
        """Return a matrix that has seen nothing yet."""
        return ConfusionMatrix(np.zeros((n_classes, n_classes), np.int64))

    def add(self, predicted: NDArray[np.uint8], target: NDArray[np.uint8]) -> ConfusionMatrix:
        """Return the matrix with the labelled pixels of (H, W) maps added."""
        if predicted.shape != target.shape:
            raise BadInputError(
                f"prediction {predicted.shape} and target {target.shape} do not match"
            )
        c = len(self.counts)
        labelled = target != UNLABELLED
        pairs = target[labelled].astype(np.int64) * c + predicted[labelled]
        return ConfusionMatrix(self.counts + np.bincount(pairs, minlength=c * c).reshape(c, c))

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        return ConfusionMatrix(self.counts + other.counts)

    @property
    def n_pixels(self) -> int:
        """Number of labelled pixels seen."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of pixels with the right class."""
        return float(np.trace(self.counts) / self.n_pixels) if self.n_pixels else float("nan")

    @property
    def dice(self) -> NDArray[np.float64]:
        """Dice, the same as the pixel F1, of each class (C,)."""
        hits = np.diag(self.counts)
        return _ratio(2 * hits, self.counts.sum(axis=0) + self.counts.sum(axis=1))

    @property
    def jaccard(self) -> NDArray[np.float64]:
        """Intersection over union of each class (C,)."""
        hits = np.diag(self.counts)
        return _ratio(hits, self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits)

    @property
    def mean_jaccard(self) -> float:
        """Jaccard averaged over the classes that appear (mIoU)."""
        return _mean_of_present(self.jaccard)

    @property
    def mean_dice(self) -> float:
        """Dice averaged over the classes that appear."""
        return _mean_of_present(self.dice)


def _ratio(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(len(a), np.nan)
    np.divide(a, b, out=out, where=b > 0)
    return out


def _mean_of_present(values: NDArray[np.float64]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")
