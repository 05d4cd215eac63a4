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
    """Pixel counts (..., C, C): rows are labels, columns are predictions.

    Scores are pooled over all pixels that were added; add one image to get its own scores. A class
    that appears in neither label nor prediction scores NaN and is left out of means. Leading axes
    stand for several matrices, of images or of resampled images, scored at once.

    Parameters
    ----------
    counts
        Number of pixels (..., C, C) of each label (row) and prediction (column).

    Examples
    --------
    >>> predicted = np.array([[0, 1, 1, 1]], np.uint8)
    >>> target = np.array([[0, 0, 1, 255]], np.uint8)
    >>> matrix = ConfusionMatrix.empty(2).add(predicted, target)
    >>> matrix.counts.tolist(), round(float(matrix.mean_dice), 3)
    ([[1, 1], [0, 1]], 0.667)
    """

    counts: NDArray[np.int64]

    @staticmethod
    def empty(n_classes: int) -> ConfusionMatrix:
        """Return a matrix without pixels."""
        return ConfusionMatrix(np.zeros((n_classes, n_classes), np.int64))

    def add(self, predicted: NDArray[np.uint8], target: NDArray[np.uint8]) -> ConfusionMatrix:
        """Return the matrix with one image added.

        Parameters
        ----------
        predicted
            Predicted classes (H, W).
        target
            Labels (H, W); pixels of 255 are left out.

        Raises
        ------
        BadInputError
            If the shapes do not match.
        """
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
    def hits(self) -> NDArray[np.int64]:
        """Pixels (..., C) with the right class."""
        return np.diagonal(self.counts, axis1=-2, axis2=-1)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Pixels (..., C) that the labels give to each class."""
        return np.asarray(self.counts.sum(axis=-1))

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Pixels (..., C) that the predictions give to each class."""
        return np.asarray(self.counts.sum(axis=-2))

    @property
    def dice(self) -> NDArray[np.float64]:
        """Dice, the same as the pixel F1, of each class (..., C)."""
        return _ratio(2 * self.hits, self.predicted + self.labelled)

    @property
    def jaccard(self) -> NDArray[np.float64]:
        """Intersection over union of each class (..., C)."""
        return _ratio(self.hits, self.predicted + self.labelled - self.hits)

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """Share of each class's pixels (..., C) that were found (recall)."""
        return _ratio(self.hits, self.labelled)

    @property
    def specificity(self) -> NDArray[np.float64]:
        """Share of the other pixels (..., C) that were not predicted as the class."""
        others = self.labelled.sum(axis=-1, keepdims=True) - self.labelled
        return _ratio(others - (self.predicted - self.hits), others)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the pixels predicted as the class (..., C) that are of it."""
        return _ratio(self.hits, self.predicted)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of pixels with the right class."""
        return _ratio(self.hits.sum(axis=-1), self.labelled.sum(axis=-1))

    @property
    def balanced_accuracy(self) -> NDArray[np.float64]:
        """Sensitivity averaged over the classes that are labelled."""
        return _mean_of_present(self.sensitivity)

    @property
    def mean_jaccard(self) -> NDArray[np.float64]:
        """Jaccard averaged over the classes that appear (mIoU)."""
        return _mean_of_present(self.jaccard)

    @property
    def mean_dice(self) -> NDArray[np.float64]:
        """Dice averaged over the classes that appear."""
        return _mean_of_present(self.dice)

    @property
    def kappa(self) -> NDArray[np.float64]:
        """Cohen's kappa: agreement beyond what the shares of the classes give by chance.

        NaN where chance agrees on everything, as where all is one class.
        """
        total = self.labelled.sum(axis=-1).astype(np.float64)
        chance = (self.labelled.astype(np.float64) * self.predicted).sum(axis=-1)
        return _ratio(self.hits.sum(axis=-1) * total - chance, total * total - chance)


def _ratio(a: NDArray[np.number], b: NDArray[np.number]) -> NDArray[np.float64]:
    out = np.full(np.shape(b), np.nan)
    np.divide(a, b, out=out, where=np.asarray(b) > 0)
    return out


def _mean_of_present(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
