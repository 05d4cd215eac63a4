"""Everything that is measured of a model on labelled images, gathered image by image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration import ProbabilityScores, ReliabilityBins
from napari_active_seg.metrics.objects import ObjectCounts
from napari_active_seg.metrics.pixels import ConfusionMatrix
from napari_active_seg.uncertainty import Prediction

__all__ = ["EvalReport"]


@dataclass(frozen=True, slots=True, eq=False)
class EvalReport:
    """Scores pooled over the labelled pixels of ``image_ids``, and calibration beside them."""

    classes: tuple[str, ...]
    confusion: ConfusionMatrix
    scores: ProbabilityScores = field(default_factory=ProbabilityScores)
    bins: ReliabilityBins = field(default_factory=ReliabilityBins.empty)
    image_ids: tuple[str, ...] = ()
    image_dice: tuple[float, ...] = ()  #: mean over classes, of each image
    objects: ObjectCounts | None = None  #: where objects were told apart

    @staticmethod
    def empty(classes: tuple[str, ...]) -> EvalReport:
        """Return a report that has seen nothing yet."""
        return EvalReport(classes, ConfusionMatrix.empty(len(classes)))

    def add(self, prediction: Prediction, target: NDArray[np.uint8]) -> EvalReport:
        """Return the report with one image added; ``target`` (H, W), 255 for not labelled."""
        one = ConfusionMatrix.empty(len(self.classes)).add(prediction.classes, target)
        return replace(
            self,
            confusion=self.confusion + one,
            scores=self.scores.add(prediction.mean_probs, target),
            bins=self.bins.add(prediction.mean_probs, target),
            image_ids=(*self.image_ids, prediction.region.image_id),
            image_dice=(*self.image_dice, one.mean_dice),
        )

    def with_objects(self, counts: ObjectCounts) -> EvalReport:
        """Return the report with the objects that were found, made up and missed."""
        return replace(self, objects=counts)

    @property
    def scores_by_image(self) -> dict[str, float]:
        """The mean Dice over classes of each image; those that cannot be told are left out."""
        pairs = zip(self.image_ids, self.image_dice, strict=True)
        return {image_id: dice for image_id, dice in pairs if not math.isnan(dice)}

    def figures(self) -> dict[str, float]:
        """Return the scores by name; those that cannot be told are left out.

        ``dice/NAME`` and ``jaccard/NAME`` are of one class; ``mean_image_dice`` is the mean over
        images, everything else is pooled over pixels. ``dice`` is the pixel F1.
        """
        named = {
            "mean_dice": self.confusion.mean_dice,
            "mean_jaccard": self.confusion.mean_jaccard,
            "mean_image_dice": _mean(self.image_dice),
            "accuracy": self.confusion.accuracy,
            "nll": self.scores.nll,
            "brier": self.scores.brier,
            "ece": self.bins.expected_calibration_error,
            "object_f1": math.nan if self.objects is None else self.objects.f1,
        }
        for name, dice, jaccard in zip(
            self.classes, self.confusion.dice, self.confusion.jaccard, strict=True
        ):
            named[f"dice/{name}"] = float(dice)
            named[f"jaccard/{name}"] = float(jaccard)
        return {name: value for name, value in named.items() if not math.isnan(value)}


def _mean(values: tuple[float, ...]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
