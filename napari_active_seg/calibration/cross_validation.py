"""Cross-validation of calibration methods over images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_active_seg.calibration.reliability import ReliabilityBins
from napari_active_seg.calibration.scaling import METHODS, Calibration, PassSample, fit_calibration
from napari_active_seg.calibration.scores import ProbabilityScores

__all__ = ["CalibrationTrial", "MethodTrial", "cross_validate_calibration"]

_FOLDS = 5
#: Above this a method with numbers of its own for each class is not tried.
_MOST_CLASSES = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Scores and bins of the drawn pixels."""

    scores: ProbabilityScores = field(default_factory=ProbabilityScores)
    bins: ReliabilityBins = field(default_factory=ReliabilityBins.empty)

    def add(self, sample: PassSample, calibration: Calibration | None) -> _Sums:
        probs = sample.mean_probs(calibration)[:, None]
        target = sample.labels[None].astype(np.uint8)
        return _Sums(self.scores.add(probs, target), self.bins.add(probs, target))

    def figures(self) -> dict[str, float]:
        return {
            "nll": self.scores.nll,
            "brier": self.scores.brier,
            "ece": float(self.bins.expected_calibration_error),
        }


@dataclass(frozen=True, slots=True, eq=False)
class MethodTrial:
    """A calibration fitted on all images, with its scores on images left out of the fit."""

    calibration: Calibration
    figures: Mapping[str, float]
    bins: ReliabilityBins


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationTrial:
    """The scores of every method and of no calibration, on images left out of the fit."""

    n_images: int
    n_pixels: int
    plain: Mapping[str, float]
    methods: Mapping[str, MethodTrial]

    @property
    def best(self) -> str | None:
        """The method with the lowest NLL on unseen images; None if no method improves on none."""
        name = min(self.methods, key=lambda m: self.methods[m].figures["nll"])
        return name if self.methods[name].figures["nll"] < self.plain["nll"] else None


def cross_validate_calibration(
    samples: Sequence[PassSample],
    *,
    groups: Mapping[str, str | None] | None = None,
    methods: Sequence[str] | None = None,
    check_cancelled: Callable[[], None] = lambda: None,
) -> CalibrationTrial | None:
    """Cross-validate every calibration method over images.

    By default all methods, or with many classes the temperature alone: a weight and an offset for
    each of 254 classes would need more labels than anybody has.

    Images of one group (a patient, a slide) stay together. None with fewer than two groups: a
    calibration would mark its own work.
    """
    kept = [sample for sample in samples if len(sample.labels)]
    of = [(groups or {}).get(sample.image_id) or sample.image_id for sample in kept]
    names = sorted(set(of))
    if len(names) < 2:
        return None
    n_folds = min(_FOLDS, len(names))
    fold_of = {name: number % n_folds for number, name in enumerate(names)}
    folds = [fold_of[name] for name in of]
    plain = _Sums()
    for sample in kept:
        plain = plain.add(sample, None)
    tried = {}
    if methods is None:
        few = kept[0].log_probs.shape[1] <= _MOST_CLASSES
        methods = tuple(METHODS) if few else ("temperature",)
    for method in methods:
        check_cancelled()
        of_all, sums = fit_calibration(kept, method, check_cancelled=check_cancelled), _Sums()
        for fold in range(n_folds):
            check_cancelled()
            seen = [s for s, k in zip(kept, folds, strict=True) if k != fold]
            calibration = fit_calibration(
                seen, method, start=of_all, check_cancelled=check_cancelled
            )
            for sample, k in zip(kept, folds, strict=True):
                if k == fold:
                    sums = sums.add(sample, calibration)
        tried[method] = MethodTrial(of_all, sums.figures(), sums.bins)
    n_pixels = sum(len(sample.labels) for sample in kept)
    return CalibrationTrial(len(kept), n_pixels, plain.figures(), tried)
