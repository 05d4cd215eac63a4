"""Done regions whose label a model contradicts that has not seen it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.metrics import (
    ClassConfidence,
    ConfusionMatrix,
    Contradiction,
    find_contradiction,
)
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.preset_names import AUTO
from napari_active_seg.models.segmenter import Segmenter, TrainingData, TrainStep
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import RegionLabel
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.prediction.region_predictor import RegionPredictor
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.training.data import LazyExamples, readable_examples
from napari_active_seg.session.trust.finished_regions import finished_in_pool, groups_of
from napari_active_seg.uncertainty import Moments

__all__ = ["Finding", "Review", "review_labels"]

_log = logging.getLogger(__name__)
#: So many models are trained, each without one part of the images.
_FOLDS = 3
_SURROUNDINGS = 128
#: Models that agree with fewer of the labels know too little to doubt them.
_KNOWS_ENOUGH = 0.8


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Finished regions by id, and how models are trained on parts of them.

    ``groups`` are patients or slides, which stay in one part.
    """

    labels: Mapping[str, RegionLabel]
    groups: Mapping[str, str | None]
    preset: str
    classes: tuple[str, ...]
    training: TrainingOptions
    inference: InferenceOptions


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


def review_labels(task: TaskContext) -> Review:
    """Return the labels in doubt; NothingToDoError with fewer than two images."""
    inputs = _read_inputs(task)
    folds = _folds(inputs)
    probs: dict[str, Moments] = {}
    held = ClassConfidence.empty(len(inputs.classes))
    for number, fold in enumerate(folds):
        which = f"part {number + 1} of {len(folds)}: "
        segmenter = _train_without(task, inputs, fold, which)
        for region_id, moments in _predict_regions(task, inputs, segmenter, fold, which):
            probs[region_id] = moments
            held = held.add(moments.mean_p, inputs.labels[region_id].target)
    found = []
    matrix = ConfusionMatrix.empty(len(inputs.classes))
    for region_id, moments in probs.items():
        region, target = inputs.labels[region_id].region, inputs.labels[region_id].target
        matrix = matrix.add(moments.mean_p.argmax(axis=0).astype(np.uint8), target)
        place = find_contradiction(moments.mean_p, target, held.thresholds)
        if place is not None:
            at = replace(place, y=place.y + region.y, x=place.x + region.x)
            found.append(Finding(region_id, region.image_id, at))
    found.sort(key=lambda finding: -finding.place.weight)
    return Review(tuple(found), float(matrix.accuracy))


def _read_inputs(task: TaskContext) -> _Inputs:
    """Return the finished labels of the pool, and how the model in use was trained."""
    project, config = task.project, task.project.config
    labels = {
        queued.id: label
        for queued in finished_in_pool(project)
        if (label := project.labels.latest(queued.id)) is not None
    }
    if not labels:
        raise NothingToDoError("no region is done yet, so there is no label to review")
    in_use = project.models.in_use()
    preset = config.preset if in_use is None else in_use.preset
    return _Inputs(
        labels=labels,
        groups=groups_of(project),
        preset=task.networks.candidates()[-1] if preset == AUTO else preset,
        classes=project.schema.names,
        training=config.training.with_changes(seed=config.seed, semi_supervised="off"),
        inference=inference_options(project).with_changes(uncertainty_from="dropout"),
    )


def _folds(inputs: _Inputs) -> tuple[tuple[str, ...], ...]:
    """Return the regions of each part; images, and patients, are not torn apart."""
    of: dict[str, list[str]] = defaultdict(list)
    for region_id, label in inputs.labels.items():
        image_id = label.region.image_id
        of[inputs.groups.get(image_id) or image_id].append(region_id)
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


def _train_without(
    task: TaskContext, inputs: _Inputs, fold: tuple[str, ...], which: str
) -> Segmenter:
    others = [label for region_id, label in inputs.labels.items() if region_id not in set(fold)]
    segmenter = task.networks.build(
        inputs.preset,
        classes=inputs.classes,
        seed=inputs.training.seed,
        weights=inputs.training.initial_weights,
    )
    data = TrainingData(
        readable_examples(others, task.open_image), LazyExamples((), task.open_image)
    )

    def on_step(step: TrainStep) -> None:
        task.report(step.step, step.n_steps, which + step.summary)

    segmenter.train(
        data, plan=inputs.training, on_step=on_step, check_cancelled=task.check_cancelled
    )
    return segmenter


def _predict_regions(
    task: TaskContext, inputs: _Inputs, segmenter: Segmenter, fold: tuple[str, ...], which: str
) -> list[tuple[str, Moments]]:
    """Return what a model says of each region of a part; images are read once."""
    of_image: dict[str, list[str]] = defaultdict(list)
    for region_id in fold:
        of_image[inputs.labels[region_id].region.image_id].append(region_id)
    found: list[tuple[str, Moments]] = []
    predictor = RegionPredictor(segmenter, inputs.inference, task.check_cancelled)
    for number, (image_id, region_ids) in enumerate(of_image.items()):
        task.check_cancelled()
        task.report(number, len(of_image), f"{which}predicting {image_id}")
        try:
            source = task.open_image(image_id)
            for region_id in region_ids:
                moments = predictor.predict(source, inputs.labels[region_id].region)
                found.append((region_id, moments))
        except ImageError as error:
            _log.warning("left out of the review: %s", error)
    return found
