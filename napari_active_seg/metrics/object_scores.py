"""Scores of objects over several images: the contest's three, and panoptic quality."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.metrics.glas import GlasSums, compute_glas_sums
from napari_active_seg.metrics.panoptic import PanopticSums, compute_panoptic_sums

__all__ = ["ObjectScores"]


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """Sums over images with separated objects.

    Areas weigh over all images together. Images with objects on one side alone make the pooled
    Hausdorff distance infinite; ``n_one_sided`` counts them.
    """

    glas: GlasSums = field(default_factory=GlasSums)
    two_sided: GlasSums = field(default_factory=GlasSums)
    panoptic: PanopticSums = field(default_factory=PanopticSums)
    n_images: int = 0
    n_one_sided: int = 0

    def add(self, found: NDArray[np.integer], truth: NDArray[np.integer]) -> ObjectScores:
        """Return the scores with one image's instance maps (H, W) added, 0 being no object."""
        one = compute_glas_sums(found, truth)
        two_sided = not math.isinf(one.object_hausdorff)
        added = replace(
            self,
            glas=self.glas + one,
            panoptic=self.panoptic + compute_panoptic_sums(found, truth),
            n_images=self.n_images + 1,
        )
        if two_sided:
            return replace(added, two_sided=self.two_sided + one)
        return replace(added, n_one_sided=self.n_one_sided + 1)

    def figures(self) -> dict[str, float]:
        """Return the scores by name; nothing without an image.

        ``object_hausdorff`` leaves out images with objects on one side alone, which
        ``object_images_one_sided`` counts.
        """
        if self.n_images == 0:
            return {}
        return {
            "object_f1": self.glas.object_f1,
            "object_dice": self.glas.object_dice,
            "object_hausdorff": self.two_sided.object_hausdorff,
            "object_images_one_sided": float(self.n_one_sided),
            "panoptic_quality": self.panoptic.panoptic_quality,
        }
