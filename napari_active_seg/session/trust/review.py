"""Done regions whose label a model contradicts that has not seen it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.metrics import (
    ClassConfidence,
    ConfusionMatrix,
    Contradiction,
    contradiction_in,
)
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, SegmenterFactory, TrainingData, TrainStep
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import RegionLabel
from napari_active_seg.session.proposals.region_predictor import RegionPredictor
from napari_active_seg.session.training.data import LazyExamples, readable_examples
from napari_active_seg.uncertainty import Moments

__all__ = ["Finding", "Review", "ReviewRequest", "review_labels"]

_log = logging.getLogger(__name__)
#: So many models are trained, each without one part of the images.
_FOLDS = 3
_SURROUNDINGS = 128
#: Models that agree with fewer of the labels know too little to doubt them.
_KNOWS_ENOUGH = 0.8


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """Finished regions by id, and how models are to be trained on parts of them.

    ``groups`` are patients or slides, which stay in one part.
    """

    labels: Mapping[str, RegionLabel]
    groups: Mapping[str, str | None]
    open_source: Callable[[str], ImageSource]
    factory: SegmenterFactory
    preset: str
    weights: str
    classes: tuple[str, ...]
    plan: TrainingOptions
    sampling: InferenceOptions


@dataclass(frozen=True, slots=True)
class Finding:
    """A region with the place, in the image's pixels, where its label is doubted."""

    region_id: str
    image_id: str
    place: Contradiction

    def describe(self, classes: tuple[str, ...]) -> str:
        """Return what is doubted, in a line."""
        p = self.place
        return (
            f"{p.pixels:,} pixels at ({p.y}, {p.x}) are labelled {classes[p.labelled]}; a model "
            f"that has not seen them is sure of {classes[p.believed]} (by {p.confidence:.2f})"
        )


@dataclass(frozen=True, slots=True)
class Review:
    """What is doubted, the heaviest first, and how much these doubts weigh.

    ``agreement`` is the share of all labelled pixels with which the models agree that had not seen
    them: the doubts of models that know little weigh little.
    """

    findings: tuple[Finding, ...]
    agreement: float

    @property
    def summary(self) -> str:
        """How much the doubts weigh, in a sentence."""
        n = len(self.findings)
        doubted = "1 region is" if n == 1 else f"{n} regions are"
        said = (
            f"{doubted} in doubt, by models that agree with {100 * self.agreement:.0f} % of the "
            "labels that they had not seen"
        )
        if self.agreement < _KNOWS_ENOUGH:
            said += "; that is too little for their doubts to weigh: label more first"
        return said


def review_labels(request: ReviewRequest, token: CancelToken, report: ProgressCallback) -> Review:
    """Return what is doubted; NothingToDoError with fewer than two images."""
    folds = _folds(request)
    probs: dict[str, Moments] = {}
    held = ClassConfidence.empty(len(request.classes))
    for number, fold in enumerate(folds):
        which = f"part {number + 1} of {len(folds)}: "
        segmenter = _trained_without(request, fold, which, token, report)
        for region_id, moments in _looked_at(request, segmenter, fold, token, report, which):
            probs[region_id] = moments
            held = held.add(moments.mean_p, request.labels[region_id].target)
    found = []
    matrix = ConfusionMatrix.empty(len(request.classes))
    for region_id, moments in probs.items():
        region, target = request.labels[region_id].region, request.labels[region_id].target
        matrix = matrix.add(moments.mean_p.argmax(axis=0).astype(np.uint8), target)
        place = contradiction_in(moments.mean_p, target, held.thresholds)
        if place is not None:
            at = replace(place, y=place.y + region.y, x=place.x + region.x)
            found.append(Finding(region_id, region.image_id, at))
    found.sort(key=lambda finding: -finding.place.weight)
    return Review(tuple(found), float(matrix.accuracy))


def _folds(request: ReviewRequest) -> tuple[tuple[str, ...], ...]:
    """Return the regions of each part; images, and patients, are not torn apart."""
    of: dict[str, list[str]] = defaultdict(list)
    for region_id, label in request.labels.items():
        image_id = label.region.image_id
        of[request.groups.get(image_id) or image_id].append(region_id)
    if len(of) < 2:
        raise NothingToDoError(
            "labels are reviewed by models that have not seen their image, or patient: finished "
            "regions of two of them are needed at least"
        )
    n = min(_FOLDS, len(of))
    parts: list[list[str]] = [[] for _ in range(n)]
    for regions in sorted(of.values(), key=len, reverse=True):
        min(parts, key=len).extend(regions)
    return tuple(tuple(part) for part in parts)


def _trained_without(
    request: ReviewRequest,
    fold: tuple[str, ...],
    which: str,
    token: CancelToken,
    report: ProgressCallback,
) -> Segmenter:
    others = [label for region_id, label in request.labels.items() if region_id not in set(fold)]
    segmenter = request.factory.build(
        request.preset, classes=request.classes, seed=request.plan.seed, weights=request.weights
    )
    data = TrainingData(
        readable_examples(others, request.open_source), LazyExamples((), request.open_source)
    )

    def tell(step: TrainStep) -> None:
        report(step.step, step.n_steps, which + step.summary)

    segmenter.train(data, plan=request.plan, on_step=tell, check_cancelled=token.check)
    return segmenter


def _looked_at(
    request: ReviewRequest,
    segmenter: Segmenter,
    fold: tuple[str, ...],
    token: CancelToken,
    report: ProgressCallback,
    which: str,
) -> list[tuple[str, Moments]]:
    """Return what a model says of each region of a part; images are read once."""
    of_image: dict[str, list[str]] = defaultdict(list)
    for region_id in fold:
        of_image[request.labels[region_id].region.image_id].append(region_id)
    found: list[tuple[str, Moments]] = []
    said = RegionPredictor(segmenter, request.sampling, token.check)
    for number, (image_id, region_ids) in enumerate(of_image.items()):
        token.check()
        report(number, len(of_image), f"{which}looking at {image_id}")
        try:
            source = request.open_source(image_id)
            for region_id in region_ids:
                moments = said.of(source, request.labels[region_id].region)
                found.append((region_id, moments))
        except ImageError as error:
            _log.warning("left out of the review: %s", error)
    return found
