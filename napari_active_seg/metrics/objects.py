"""Scores of objects rather than pixels: how many were found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["ObjectCounts", "ObjectTable", "build_object_table", "count_objects"]


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


@dataclass(frozen=True, slots=True, eq=False)
class ObjectTable:
    """Two instance maps of one image with their objects numbered from 1, and what they share."""

    found: NDArray[np.int32]  # (H, W)
    truth: NDArray[np.int32]  # (H, W)
    overlaps: NDArray[np.int64]  # (n_found, n_true), pixels
    found_areas: NDArray[np.int64]
    true_areas: NDArray[np.int64]

    def counts(self) -> ObjectCounts:
        """Return the counts of the GlaS contest.

        A found object belongs to the true one that it overlaps most, and is right if it covers at
        least half of it. A true object that no found one covers so is missed.
        """
        n_found, n_true = self.overlaps.shape
        if n_found == 0 or n_true == 0:
            return ObjectCounts(0, n_found, n_true)
        partner = self.overlaps.argmax(axis=1)
        overlap = self.overlaps[np.arange(n_found), partner]
        right = (overlap > 0) & (2 * overlap >= self.true_areas[partner])
        covered = len(set(partner[right].tolist()))
        return ObjectCounts(int(right.sum()), int((~right).sum()), n_true - covered)


def build_object_table(found: NDArray[np.integer], truth: NDArray[np.integer]) -> ObjectTable:
    """Return what the objects of two instance maps (H, W), 0 being no object, share."""
    if found.shape != truth.shape:
        raise BadInputError(f"instance maps of unlike shapes: {found.shape} and {truth.shape}")
    (found_map, n_found), (true_map, n_true) = _number_objects(found), _number_objects(truth)
    pairs = found_map.ravel().astype(np.int64) * (n_true + 1) + true_map.ravel()
    table = np.bincount(pairs, minlength=(n_found + 1) * (n_true + 1))
    table = table.reshape(n_found + 1, n_true + 1)
    return ObjectTable(
        found_map,
        true_map,
        table[1:, 1:],
        table.sum(axis=1)[1:],
        table.sum(axis=0)[1:],
    )


def count_objects(found: NDArray[np.integer], truth: NDArray[np.integer]) -> ObjectCounts:
    """Return the counts of one image from instance maps (H, W), 0 being no object."""
    return build_object_table(found, truth).counts()


def _number_objects(ids: NDArray[np.integer]) -> tuple[NDArray[np.int32], int]:
    """Return the map with its objects numbered from 1 in the order of their ids, and how many."""
    lowest, highest = int(ids.min(initial=0)), int(ids.max(initial=0))
    if highest - lowest < 4 * ids.size + 1:
        there = np.bincount(ids.ravel() - lowest, minlength=highest - lowest + 1) > 0
        there[-lowest] = False
        new = np.cumsum(there, dtype=np.int32)
        new[~there] = 0
        return new[ids - lowest], int(there.sum())
    known, places = np.unique(ids, return_inverse=True)
    objects = known != 0
    new = np.where(objects, np.cumsum(objects), 0).astype(np.int32)
    return new[places].reshape(ids.shape), int(objects.sum())
