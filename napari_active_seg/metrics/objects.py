"""Scores of objects rather than pixels: how many were found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["ObjectCounts", "count_objects"]


@dataclass(frozen=True, slots=True)
class ObjectCounts:
    """Objects found, made up and missed, by the rule of the GlaS contest."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def f1(self) -> float:
        """Object F1; 1 where there was nothing to find and nothing was made up."""
        wrong = self.false_positives + self.false_negatives
        total = 2 * self.true_positives + wrong
        return 1.0 if total == 0 else 2 * self.true_positives / total


def count_objects(found: NDArray[np.integer], truth: NDArray[np.integer]) -> ObjectCounts:
    """Return the counts of one image from instance maps (H, W), 0 being no object.

    A found object belongs to the true one that it overlaps most, and is right if it covers at
    least half of it. A true object that no found one covers so is missed.
    """
    if found.shape != truth.shape:
        raise BadInputError(f"instance maps of unlike shapes: {found.shape} and {truth.shape}")
    found_ids, found_places = np.unique(found, return_inverse=True)
    true_ids, true_places = np.unique(truth, return_inverse=True)
    table = np.zeros((len(found_ids), len(true_ids)), np.int64)
    np.add.at(table, (found_places.ravel(), true_places.ravel()), 1)
    sizes = table.sum(axis=0)[true_ids != 0]
    table = table[found_ids != 0][:, true_ids != 0]
    n_found, n_true = table.shape
    if n_found == 0 or n_true == 0:
        return ObjectCounts(0, n_found, n_true)
    partner = table.argmax(axis=1)
    overlap = table[np.arange(n_found), partner]
    right = (overlap > 0) & (2 * overlap >= sizes[partner])
    covered = len(set(partner[right].tolist()))
    return ObjectCounts(int(right.sum()), int((~right).sum()), n_true - covered)
