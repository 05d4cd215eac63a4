"""Panoptic quality of instance maps, as nuclei are scored by.

A found and a true object match where they share more than half of what they cover together
(intersection over union above 0.5); no object can match twice then. PQ = SQ x DQ after
Kirillov et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.metrics.objects import ObjectCounts, build_object_table

__all__ = ["PanopticSums", "compute_panoptic_sums"]


@dataclass(frozen=True, slots=True)
class PanopticSums:
    """Matches and the sum of their overlaps, of one image or of several added up."""

    counts: ObjectCounts = field(default_factory=ObjectCounts)
    overlap: float = 0.0

    def __add__(self, other: PanopticSums) -> PanopticSums:
        return PanopticSums(self.counts + other.counts, self.overlap + other.overlap)

    @property
    def detection_quality(self) -> float:
        """F1 of the matches; 1 where there was nothing to find and nothing was made up."""
        return self.counts.f1

    @property
    def segmentation_quality(self) -> float:
        """Mean intersection over union of the matches; NaN without any."""
        found = self.counts.true_positives
        return self.overlap / found if found else float("nan")

    @property
    def panoptic_quality(self) -> float:
        """Segmentation quality times detection quality; 0 without a match."""
        if self.counts.true_positives == 0:
            return self.detection_quality
        return self.segmentation_quality * self.detection_quality


def compute_panoptic_sums(found: NDArray[np.integer], truth: NDArray[np.integer]) -> PanopticSums:
    """Return the sums of one image from instance maps (H, W), 0 being no object."""
    table = build_object_table(found, truth)
    n_found, n_true = table.overlaps.shape
    together = table.found_areas[:, None] + table.true_areas[None] - table.overlaps
    matched = 2 * table.overlaps > together
    n = int(matched.sum())
    overlap = float((table.overlaps[matched] / together[matched]).sum())
    return PanopticSums(ObjectCounts(n, n_found - n, n_true - n), overlap)
