"""Likely label errors: where a model that was not trained on a label contradicts it.

After confident learning (Northcutt et al. 2021): a class is believed of a pixel where its
probability reaches its average over the pixels with that label. A pixel whose label is
another one than the class believed most contradicts its label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["ClassConfidence", "Contradiction", "find_contradiction"]

#: Contradicting areas of fewer pixels are borders drawn a pixel off.
_SMALLEST_AREA = 16


@dataclass(frozen=True, slots=True, eq=False)
class ClassConfidence:
    """Sums of each class's probability over the pixels with that label."""

    sums: NDArray[np.float64]  # (C,)
    counts: NDArray[np.int64]  # (C,)

    @staticmethod
    def empty(n_classes: int) -> ClassConfidence:
        """Return empty sums."""
        return ClassConfidence(np.zeros(n_classes), np.zeros(n_classes, np.int64))

    def add(self, probs: NDArray[np.floating], target: NDArray[np.uint8]) -> ClassConfidence:
        """Return the sums with the labelled pixels of (C, H, W) ``probs`` added."""
        sums, counts = self.sums.copy(), self.counts.copy()
        for k in range(len(sums)):
            own = target == k
            sums[k] += float(probs[k][own].sum(dtype=np.float64))
            counts[k] += int(own.sum())
        return ClassConfidence(sums, counts)

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """Probability from which a class is believed; above 1 for one that was never labelled."""
        out = np.full(len(self.sums), 2.0)
        np.divide(self.sums, self.counts, out=out, where=self.counts > 0)
        return out


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The largest area of a region where its label is contradicted, in the region's pixels.

    ``confidence`` is the mean, over the area, of the probability of the class believed less that of
    the label; ``share`` of the region's labelled pixels contradict their label in all.
    """

    y: int
    x: int
    height: int
    width: int
    pixels: int
    confidence: float
    share: float
    labelled: int  #: the class of most labels there
    believed: int  #: the class that the model believes there, mostly

    @property
    def weight(self) -> float:
        """Weight by which regions are ranked: pixels times confidence."""
        return self.pixels * self.confidence


def find_contradiction(
    probs: NDArray[np.floating],
    target: NDArray[np.uint8],
    thresholds: Sequence[float] | NDArray[np.float64],
) -> Contradiction | None:
    """Return the largest contradiction of probabilities (C, H, W) to a label; None without one."""
    if probs.shape[1:] != target.shape or len(thresholds) != len(probs):
        raise BadInputError(
            f"probs {probs.shape}, target {target.shape} and {len(thresholds)} thresholds differ"
        )
    reached = probs >= np.asarray(thresholds)[:, None, None]
    believed = np.where(reached, probs, -1.0).argmax(axis=0)
    labelled = target != UNLABELLED
    against = labelled & reached.any(axis=0) & (believed != target)
    areas, n = ndimage.label(against)
    if n == 0:
        return None
    own = np.where(labelled, target, 0)[None].astype(np.intp)
    margin = (
        np.take_along_axis(probs, believed[None], axis=0) - np.take_along_axis(probs, own, axis=0)
    )[0]
    sums = ndimage.sum_labels(margin, areas, np.arange(1, n + 1))
    best = int(np.argmax(sums)) + 1
    inside = areas == best
    pixels = int(inside.sum())
    if pixels < _SMALLEST_AREA:
        return None
    rows, columns = ndimage.find_objects(areas)[best - 1]
    return Contradiction(
        rows.start,
        columns.start,
        rows.stop - rows.start,
        columns.stop - columns.start,
        pixels,
        float(sums[best - 1] / pixels),
        float(against.sum() / labelled.sum()),
        int(np.bincount(target[inside]).argmax()),
        int(np.bincount(believed[inside]).argmax()),
    )
