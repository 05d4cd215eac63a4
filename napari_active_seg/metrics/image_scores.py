"""The scores of one evaluated image: small numbers, no maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration import ProbabilityScores, ReliabilityBins
from napari_active_seg.metrics.boundaries import BoundaryScores, boundary_scores
from napari_active_seg.metrics.confusion import ConfusionMatrix
from napari_active_seg.regions import UNLABELLED
from napari_active_seg.uncertainty import Prediction

__all__ = ["ImageScores", "score_image"]

#: Distances between borders take time and memory that grow with the image; larger ones go without.
_LARGEST_WITH_BORDERS = 16_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ImageScores:
    """Sums over the labelled pixels of one image, and distances where all of it is labelled."""

    image_id: str
    confusion: ConfusionMatrix
    scores: ProbabilityScores
    bins: ReliabilityBins
    borders: Mapping[int, BoundaryScores] = field(default_factory=dict)  # by class

    def __add__(self, other: ImageScores) -> ImageScores:
        """Add the scores of two parts of one image; distances cannot be added and are left out."""
        return ImageScores(
            self.image_id,
            self.confusion + other.confusion,
            self.scores + other.scores,
            self.bins + other.bins,
        )


def score_image(
    prediction: Prediction, target: NDArray[np.uint8], *, tolerance: float = 2.0
) -> ImageScores:
    """Return the scores of a prediction against a target (H, W), 255 for not labelled.

    ``tolerance`` is that of the boundary F1, in pixels.
    """
    n_classes = len(prediction.mean_probs)
    found = prediction.classes
    whole = target.size <= _LARGEST_WITH_BORDERS and bool((target != UNLABELLED).all())
    return ImageScores(
        prediction.region.image_id,
        ConfusionMatrix.empty(n_classes).add(found, target),
        ProbabilityScores().add(prediction.mean_probs, target),
        ReliabilityBins.empty().add(prediction.mean_probs, target),
        {
            k: boundary_scores(found == k, target == k, tolerance=tolerance)
            for k in (_classes_with_borders(n_classes) if whole else ())
        },
    )


def _classes_with_borders(n_classes: int) -> Sequence[int]:
    """Return the classes whose borders are measured: two classes share theirs."""
    return (1,) if n_classes == 2 else range(n_classes)
