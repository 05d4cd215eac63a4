"""The evaluation of a model on labelled images, collected image by image.

The names of figures follow how they are averaged. ``image_...`` is a mean over images, each being
scored alone; everything else is pooled over all pixels, or all objects. ``.../NAME`` is of one
class and ``mean_...`` the mean over classes. ``dice`` is the pixel F1; ``object_f1`` is the one of
the calibration paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration import (
    FINE_BINS,
    ErrorsByUncertainty,
    OneVsRestBins,
    ProbabilityScores,
    ReliabilityBins,
)
from napari_active_seg.metrics.bootstrap import Interval, bootstrap_interval
from napari_active_seg.metrics.confusion import ConfusionMatrix
from napari_active_seg.metrics.image_scores import ImageScores, score_image
from napari_active_seg.metrics.object_scores import ObjectScores
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["ERROR_MEASURES", "EvalReport"]

#: Measures that are tested for finding errors: those of the calibration paper.
ERROR_MEASURES = ("entropy", "bald", "variation-ratio")


@dataclass(frozen=True, slots=True, eq=False)
class EvalReport:
    """Scores of labelled images, of each alone and pooled, and their calibration.

    Make one by ``empty`` and add images one by one.

    Parameters
    ----------
    classes
        Class names, in the order of their target values.
    images
        Scores of each image.
    fine_bins
        Reliability bins that are fine enough for bins of equal mass.
    one_vs_rest
        Reliability bins of each class.
    errors
        Errors by uncertainty, by the name of the measure.
    objects
        Scores of objects, where these are separated.

    Examples
    --------
    >>> report = EvalReport.empty(("background", "gland"))
    >>> report.image_ids, report.confusion.n_pixels
    ((), 0)
    """

    classes: tuple[str, ...]
    images: tuple[ImageScores, ...] = ()
    fine_bins: ReliabilityBins = field(default_factory=lambda: ReliabilityBins.empty(FINE_BINS))
    one_vs_rest: OneVsRestBins | None = None
    errors: Mapping[str, ErrorsByUncertainty] = field(default_factory=dict)  # by measure
    objects: ObjectScores | None = None  #: where objects are separated

    @staticmethod
    def empty(classes: tuple[str, ...]) -> EvalReport:
        """Return a report without images."""
        c = len(classes)
        bounds = {name: get_measure(name).upper_bound(c) for name in ERROR_MEASURES}
        return EvalReport(
            classes,
            one_vs_rest=OneVsRestBins.empty(c),
            errors={name: ErrorsByUncertainty.empty(bound) for name, bound in bounds.items()},
        )

    def add(self, prediction: Prediction, target: NDArray[np.uint8]) -> EvalReport:
        """Return the report with one image added.

        Successive parts of one image are summed.

        Parameters
        ----------
        prediction
            The prediction of the image or of a part of it.
        target
            Labels (H, W); pixels of 255 are left out.
        """
        probs, found = prediction.mean_probs, prediction.classes
        one_vs_rest = self.one_vs_rest or OneVsRestBins.empty(len(self.classes))
        return replace(
            self,
            images=_with_image(self.images, score_image(prediction, target)),
            fine_bins=self.fine_bins.add(probs, target),
            one_vs_rest=one_vs_rest.add(probs, target),
            errors={
                name: errors.add(get_measure(name).compute(prediction.moments), found, target)
                for name, errors in self.errors.items()
            },
        )

    def with_objects(self, objects: ObjectScores) -> EvalReport:
        """Return the report with the scores of separated objects."""
        return replace(self, objects=objects)

    # --- sums ------------------------------------------------------------------------------------

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images, in the order in which they were measured."""
        return tuple(image.image_id for image in self.images)

    @property
    def confusion(self) -> ConfusionMatrix:
        """Pixel counts over all images."""
        return sum((image.confusion for image in self.images), self._no_pixels())

    @property
    def scores(self) -> ProbabilityScores:
        """Proper scores over all images."""
        return sum((image.scores for image in self.images), ProbabilityScores())

    @property
    def bins(self) -> ReliabilityBins:
        """Reliability bins of equal width over all images."""
        return sum((image.bins for image in self.images), ReliabilityBins.empty())

    @property
    def bins_by_image(self) -> ReliabilityBins:
        """Reliability bins (images, K) of each image alone."""
        bins = [image.bins for image in self.images] or [ReliabilityBins.empty()]
        return ReliabilityBins(
            np.stack([b.counts for b in bins]),
            np.stack([b.confidence_sums for b in bins]),
            np.stack([b.hits for b in bins]),
        )

    @property
    def scores_by_image(self) -> dict[str, float]:
        """The mean Dice over classes of each image; undefined ones are left out."""
        dice = {image.image_id: float(image.confusion.mean_dice) for image in self.images}
        return {image_id: value for image_id, value in dice.items() if not math.isnan(value)}

    def figures_by_image(self) -> dict[str, dict[str, float]]:
        """Return the scores of each image alone, by name; undefined ones are left out."""
        found = {}
        for image in self.images:
            named = {
                "mean_dice": float(image.confusion.mean_dice),
                "mean_jaccard": float(image.confusion.mean_jaccard),
                "accuracy": float(image.confusion.accuracy),
                "balanced_accuracy": float(image.confusion.balanced_accuracy),
                "nll": image.scores.nll,
                "brier": image.scores.brier,
                "ece": float(image.bins.expected_calibration_error),
            }
            for k, name in enumerate(self.classes):
                named[f"dice/{name}"] = float(image.confusion.dice[k])
                if k in image.borders:
                    named[f"hausdorff/{name}"] = image.borders[k].hausdorff
                    named[f"hausdorff_95/{name}"] = image.borders[k].hausdorff_95
                    named[f"boundary_f1/{name}"] = image.borders[k].boundary_f1
            found[image.image_id] = {k: v for k, v in named.items() if not math.isnan(v)}
        return found

    # --- figures ---------------------------------------------------------------------------------

    def figures(self) -> dict[str, float]:
        """Return the scores by name; undefined ones are left out."""
        named = {
            **self._of_pixels(),
            **self._of_images(),
            **self._of_probabilities(),
            **({} if self.objects is None else self.objects.figures()),
        }
        return {name: value for name, value in named.items() if not math.isnan(value)}

    def interval(self, name: str, *, level: float = 0.95) -> Interval | None:
        """Return a pooled figure with its interval over resampled images; None for another."""
        score = _RESAMPLED.get(name)
        if score is None:
            return None
        of_images, compute = score
        return bootstrap_interval(of_images(self), compute, level=level)

    def intervals(self) -> dict[str, Interval]:
        """Return every pooled figure that is known, with its interval over images."""
        found = {name: self.interval(name) for name in _RESAMPLED}
        return {k: v for k, v in found.items() if v is not None and not math.isnan(v.value)}

    def _of_pixels(self) -> dict[str, float]:
        pooled = self.confusion
        named = {
            "mean_dice": float(pooled.mean_dice),
            "mean_jaccard": float(pooled.mean_jaccard),
            "accuracy": float(pooled.accuracy),
            "balanced_accuracy": float(pooled.balanced_accuracy),
        }
        for k, name in enumerate(self.classes):
            named[f"dice/{name}"] = float(pooled.dice[k])
            named[f"jaccard/{name}"] = float(pooled.jaccard[k])
            named[f"sensitivity/{name}"] = float(pooled.sensitivity[k])
            named[f"specificity/{name}"] = float(pooled.specificity[k])
        return named

    def _of_images(self) -> dict[str, float]:
        named = {
            "image_mean_dice": _mean([float(i.confusion.mean_dice) for i in self.images]),
            "image_mean_jaccard": _mean([float(i.confusion.mean_jaccard) for i in self.images]),
        }
        for k, name in enumerate(self.classes):
            borders = [image.borders[k] for image in self.images if k in image.borders]
            named[f"image_hausdorff/{name}"] = _mean([b.hausdorff for b in borders])
            named[f"image_hausdorff_95/{name}"] = _mean([b.hausdorff_95 for b in borders])
            named[f"image_boundary_f1/{name}"] = _mean([b.boundary_f1 for b in borders])
        return named

    def _of_probabilities(self) -> dict[str, float]:
        scores, bins = self.scores, self.bins
        named = {
            "nll": scores.nll,
            "brier": scores.brier,
            "brier_per_class": scores.brier / len(self.classes),
            "ece": float(bins.expected_calibration_error),
            "ece_equal_mass": float(self.fine_bins.equal_mass().expected_calibration_error),
            "maximum_calibration_error": float(bins.maximum_calibration_error),
        }
        if self.one_vs_rest is not None:
            parts = self.one_vs_rest.all_brier_parts
            named |= {
                "class_wise_ece": self.one_vs_rest.class_wise_error,
                "brier_reliability": parts.reliability,
                "brier_resolution": parts.resolution,
                "brier_uncertainty": parts.uncertainty,
                "brier_within_bins": parts.within_variance - parts.within_covariance,
            }
        for measure, errors in self.errors.items():
            named[f"sparsification/{measure}"] = errors.area
            named[f"sparsification_oracle/{measure}"] = errors.area_of_oracle
        return named

    def _no_pixels(self) -> ConfusionMatrix:
        return ConfusionMatrix.empty(len(self.classes))


def _with_image(images: tuple[ImageScores, ...], one: ImageScores) -> tuple[ImageScores, ...]:
    if images and images[-1].image_id == one.image_id:
        return (*images[:-1], images[-1] + one)
    return (*images, one)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


# --- what is resampled -------------------------------------------------------------------------

_Of = Callable[[EvalReport], NDArray[np.number]]
_Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _confusions(report: EvalReport) -> NDArray[np.number]:
    return np.array([image.confusion.counts for image in report.images])


def _proper_sums(report: EvalReport) -> NDArray[np.number]:
    sums = [(i.scores.nll_sum, i.scores.brier_sum, i.scores.n) for i in report.images]
    return np.array(sums, np.float64).reshape(-1, 3)


def _gaps(report: EvalReport) -> NDArray[np.number]:
    return np.array([(*(i.bins.hits - i.bins.confidence_sums), i.scores.n) for i in report.images])


def _of_counts(name: str) -> _Score:
    def score(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(getattr(ConfusionMatrix(counts.astype(np.int64)), name))

    return score


def _share(column: int) -> _Score:
    return lambda sums: sums[:, column] / np.maximum(sums[:, 2], 1)


#: Pooled figures by name: what is summed over images, and the figure of such sums.
_RESAMPLED: Mapping[str, tuple[_Of, _Score]] = {
    **{
        name: (_confusions, _of_counts(name))
        for name in ("mean_dice", "mean_jaccard", "accuracy", "balanced_accuracy")
    },
    "nll": (_proper_sums, _share(0)),
    "brier": (_proper_sums, _share(1)),
    "ece": (_gaps, lambda sums: np.abs(sums[:, :-1]).sum(axis=1) / np.maximum(sums[:, -1], 1)),
}
