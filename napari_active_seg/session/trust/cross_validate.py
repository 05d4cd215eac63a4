"""Cross-validation: estimate how good a model is from the regions that it was trained on.

The images are divided into folds. For each fold a model of the same network is trained from its
initial weights on the regions of all other images, and predicts the regions of the fold: every
region is scored by a model that has not seen its image.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import ConfigError, ImageError, NothingToDoError
from napari_active_seg.images import ImageSource
from napari_active_seg.metrics import EvalReport, Groups, Interval, estimate_over_images
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, TrainingData, TrainStep
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import ModelRecord, Project, QueuedRegion, Split, checkpoint_facts
from napari_active_seg.project.old_settings import migrate_training
from napari_active_seg.regions import UNLABELLED, Region, RegionLabel
from napari_active_seg.session.labels.whole_images import labelled_images
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.prediction.region_predictor import RegionPredictor, parts_of
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.training.data import (
    LazyExamples,
    readable_examples,
    window_drawer,
)
from napari_active_seg.session.training.inputs import hash_labels, holdout_regions
from napari_active_seg.session.trust.finished_regions import (
    finished_in_pool,
    groups_of,
    latest_saves,
    why_not_cross_validate,
)
from napari_active_seg.uncertainty import Prediction

__all__ = [
    "MOST_FOLDS",
    "CrossValidation",
    "CrossValidationInputs",
    "FinishedRegion",
    "Fold",
    "cross_validate",
    "read_cross_validation_inputs",
    "split_into_folds",
    "training_of",
]

_log = logging.getLogger(__name__)
#: Each fold costs a training.
MOST_FOLDS = 5
#: Progress is reported in so many steps a fold; most of them are the training.
_STEPS, _TRAINING_STEPS = 100, 85


@dataclass(frozen=True, slots=True)
class FinishedRegion:
    """A finished region with its label.

    ``is_random`` regions were drawn uniformly over the pool, ``is_chosen`` ones by what a model
    predicted.
    """

    id: str
    label: RegionLabel
    is_random: bool = False
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class CrossValidationInputs:
    """The finished regions of the pool, and how the model ``model_id`` was trained on them.

    ``groups`` are patients or slides, which stay in one fold. ``held_out`` are labels of validation
    images: they end a training in time, as they do for the model itself, and are not learned from;
    where there are none, ``holdout`` regions of the training part may serve. ``unlabelled`` images
    are learned from where ``training`` says so, those of the held-out fold never. ``saves`` is the
    latest save of each region, which shows later what has changed.
    """

    model_id: str
    regions: tuple[FinishedRegion, ...]
    groups: Groups
    held_out: tuple[RegionLabel, ...]
    holdout: frozenset[Region]
    unlabelled: tuple[str, ...]
    preset: str
    weights: str
    classes: tuple[str, ...]
    class_uids: tuple[int, ...]
    training: TrainingOptions
    inference: InferenceOptions
    seed: int
    data_hash: str
    saves: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that are read: those of the regions, and of the held-out labels."""
        labels = (*(region.label for region in self.regions), *self.held_out)
        return tuple(label.region.image_id for label in labels)


@dataclass(frozen=True, slots=True)
class Fold:
    """Images that were held out together, and how many regions the model for them learned from."""

    image_ids: tuple[str, ...]
    n_regions: int
    n_training_regions: int


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """How well models predict finished regions of images that they were not trained on.

    ``model_id`` is the model that the estimate is about: it was trained in the same way, on all of
    the regions. ``report`` is of all regions, ``random`` of those alone that were drawn uniformly.
    """

    model_id: str
    preset: str
    seed: int
    data_hash: str  #: of all labels; equal to the model's where it learned from just these
    class_uids: tuple[int, ...]
    folds: tuple[Fold, ...]
    report: EvalReport
    random: EvalReport
    groups: Groups
    n_random: int
    n_chosen: int
    saves: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def n_folds(self) -> int:
        """How many models were trained."""
        return len(self.folds)

    @property
    def n_images(self) -> int:
        """How many images were predicted."""
        return len(self.report.images)

    @property
    def n_regions(self) -> int:
        """How many regions were predicted."""
        return sum(fold.n_regions for fold in self.folds)

    @property
    def estimates(self) -> dict[str, Interval]:
        """Scores with their 95 % intervals: see ``metrics.estimate_over_images``."""
        return estimate_over_images(self.report, groups=self.groups)

    @property
    def random_estimates(self) -> dict[str, Interval]:
        """The same of the regions that were drawn uniformly; empty where there are none."""
        return estimate_over_images(self.random, groups=self.groups)


def cross_validate(task: TaskContext, model: ModelRecord) -> CrossValidation:
    """Train a model without each fold and score it there; NothingToDoError with one image alone.

    The networks are trained like ``model``. Images that cannot be read are logged, noted and left
    out.
    """
    inputs = read_cross_validation_inputs(task, model)
    task.check_images(inputs.image_ids)
    folds = split_into_folds(inputs)
    total = _STEPS * len(folds)
    measured = _Measured(EvalReport.empty(inputs.classes), EvalReport.empty(inputs.classes))
    done: list[Fold] = []
    for number, held_out in enumerate(folds):
        which, before = f"fold {number + 1} of {len(folds)}", _STEPS * number
        task.report(before, total, which)

        def on_step(step: TrainStep, before: int = before, which: str = which) -> None:
            share = step.step / max(step.n_steps, 1)
            task.report(before + int(_TRAINING_STEPS * share), total, f"{which}: {step.summary}")

        hidden = {region.id for region in held_out}
        seen = [region for region in inputs.regions if region.id not in hidden]
        segmenter = _train(task, inputs, seen, held_out, on_step)
        task.report(before + _TRAINING_STEPS, total, f"{which}: predicting")
        read = measured.add(task, inputs, segmenter, held_out)
        segmenter.free_memory()
        done.append(Fold(_images_of(read), len(read), len(seen)))
    task.report(total, total)
    if not measured.report.images:
        raise next(iter(measured.problems.values()))
    notes = inputs.notes
    if measured.problems:
        unread = ", ".join(measured.problems)
        notes += (f"left out, since the image cannot be read: {unread}",)
    return CrossValidation(
        model_id=inputs.model_id,
        preset=inputs.preset,
        seed=inputs.seed,
        data_hash=inputs.data_hash,
        class_uids=inputs.class_uids,
        folds=tuple(done),
        report=measured.report,
        random=replace(measured.random, errors={}),
        groups={i: g for i in measured.report.image_ids if (g := inputs.groups.get(i))},
        n_random=measured.n_random,
        n_chosen=measured.n_chosen,
        saves=inputs.saves,
        notes=notes,
    )


def read_cross_validation_inputs(task: TaskContext, model: ModelRecord) -> CrossValidationInputs:
    """Return the finished regions, and the network and options of ``model``.

    NothingToDoError if the finished regions lie on one image alone.
    """
    project = task.project
    reason = why_not_cross_validate(project)
    if reason:
        raise NothingToDoError(reason)
    labelled = [
        (queued, label)
        for queued in finished_in_pool(project)
        if (label := project.labels.latest(queued.id)) is not None
    ]
    regions = tuple(
        FinishedRegion(q.id, label, _is_random(q), q.kind is RegionKind.CHOSEN)
        for q, label in labelled
        if label.labelled_pixels
    )
    training, weights = training_of(project, model)
    inference = inference_options(project)
    notes = []
    if inference.uncertainty_from == "ensemble":
        notes.append("each fold was predicted by one model, not by an ensemble")
    return CrossValidationInputs(
        model_id=model.id,
        regions=regions,
        groups=groups_of(project),
        held_out=tuple(label for image in labelled_images(project) for label in image.labels),
        holdout=holdout_regions(project, [region.label for region in regions]),
        unlabelled=tuple(ref.id for ref in project.images.all(Split.POOL)),
        preset=model.preset,
        weights=weights,
        classes=project.schema.names,
        class_uids=project.classes.current.uids,
        training=training,
        inference=inference,
        seed=project.config.seed,
        data_hash=hash_labels([label for _, label in labelled]),
        saves=latest_saves(project),
        notes=tuple(notes),
    )


def _is_random(queued: QueuedRegion) -> bool:
    """Return whether a region was drawn uniformly over the tissue, whatever a model predicted."""
    if queued.kind is RegionKind.CONTROL:
        return True
    chance = queued.draw_probability
    drawn = queued.kind in (RegionKind.RANDOM, RegionKind.INITIAL) and chance is not None
    return drawn and abs((chance or 0.0) * queued.drawn_from - 1) < 1e-9


def training_of(project: Project, model: ModelRecord) -> tuple[TrainingOptions, str]:
    """Return the options and initial weights that a model was trained with.

    They are in the header of its checkpoint; where they are not, the project's settings hold.
    """
    facts = checkpoint_facts(project.models.path(model.id))
    own = project.config.training.with_changes(seed=project.config.seed)
    weights = facts.get("weights", own.initial_weights)
    try:
        stored = migrate_training(json.loads(facts.get("config", "{}")))
        known = {key: stored[key] for key in TrainingOptions.model_fields if key in stored}
        return (TrainingOptions(**known) if stored else own), weights
    except (ValueError, TypeError, AttributeError, ConfigError) as error:  # of another version
        _log.warning("the options of model %s are not known: %s", model.id, error)
        return own, weights


def split_into_folds(inputs: CrossValidationInputs) -> tuple[tuple[FinishedRegion, ...], ...]:
    """Return the regions of each fold, about as many in each; images and groups stay whole.

    Up to five folds, as many as there are images (or patients). The seed decides which go together.
    """
    of_group: dict[str, list[FinishedRegion]] = defaultdict(list)
    for region in inputs.regions:
        image_id = region.label.region.image_id
        of_group[inputs.groups.get(image_id) or image_id].append(region)
    if len(of_group) < 2:
        raise NothingToDoError(
            "the finished regions lie on one image (or patient), and a model has to be tested on "
            "images that it was not trained on: finish a region on another image"
        )
    names = sorted(of_group)
    order = np.random.default_rng((inputs.seed, 0x4356)).permutation(len(names))
    shuffled = [of_group[names[k]] for k in order.tolist()]
    folds: list[list[FinishedRegion]] = [[] for _ in range(min(MOST_FOLDS, len(names)))]
    for regions in sorted(shuffled, key=len, reverse=True):
        min(folds, key=len).extend(regions)
    return tuple(tuple(fold) for fold in folds)


def _train(
    task: TaskContext,
    inputs: CrossValidationInputs,
    seen: Sequence[FinishedRegion],
    held_out: Sequence[FinishedRegion],
    on_step: Callable[[TrainStep], None],
) -> Segmenter:
    """Return a model that was trained from its initial weights, without the held-out regions."""
    hidden = set(_images_of(held_out))
    segmenter = task.networks.build(
        inputs.preset, classes=inputs.classes, seed=inputs.training.seed, weights=inputs.weights
    )
    labels = [region.label for region in seen]
    others = tuple(i for i in inputs.unlabelled if i not in hidden)
    data = TrainingData(
        readable_examples(labels, task.open_image, holdout=inputs.holdout),
        held_out=LazyExamples(inputs.held_out, task.open_image),
        draw_window=window_drawer(others, task.open_image),
    )
    plan = inputs.training if others else inputs.training.with_changes(semi_supervised="off")
    segmenter.train(data, plan=plan, on_step=on_step, check_cancelled=task.check_cancelled)
    return segmenter


class _Measured:
    """Collects scores of regions, all of them and the random ones."""

    def __init__(self, report: EvalReport, random: EvalReport) -> None:
        self.report, self.random = report, random
        self.problems: dict[str, ImageError] = {}
        self.n_random = self.n_chosen = 0

    def add(
        self,
        task: TaskContext,
        inputs: CrossValidationInputs,
        segmenter: Segmenter,
        regions: Sequence[FinishedRegion],
    ) -> tuple[FinishedRegion, ...]:
        """Add regions, image by image, and return those whose image could be read."""
        predictor = RegionPredictor(segmenter, inputs.inference, task.check_cancelled)
        read: list[FinishedRegion] = []
        for image_id in _images_of(regions):
            task.check_cancelled()
            here = [r for r in regions if r.label.region.image_id == image_id]
            report, random = self.report, self.random
            try:
                source = task.open_image(image_id)
                for region in here:
                    for prediction, target in _predict(predictor, source, region, inputs.model_id):
                        report = report.add(prediction, target)
                        random = random.add(prediction, target) if region.is_random else random
            except ImageError as error:
                _log.warning("left out of the cross-validation: %s", error)
                self.problems[image_id] = error
                continue
            self.report, self.random = report, random
            self.n_random += sum(region.is_random for region in here)
            self.n_chosen += sum(region.is_chosen for region in here)
            read += here
        return tuple(read)


def _predict(
    predictor: RegionPredictor, source: ImageSource, region: FinishedRegion, model_id: str
) -> Iterator[tuple[Prediction, NDArray[np.uint8]]]:
    """Yield predictions of a region with their targets, in parts where the image is a slide."""
    place, target = region.label.region, region.label.target
    for part in parts_of(place, source.shape):
        y, x = part.y - place.y, part.x - place.x
        own = target[y : y + part.height, x : x + part.width]
        if (own != UNLABELLED).any():
            yield Prediction(part, predictor.predict(source, part), model_id), own


def _images_of(regions: Sequence[FinishedRegion]) -> tuple[str, ...]:
    """Return the images of regions, in the order in which they first appear."""
    return tuple(dict.fromkeys(region.label.region.image_id for region in regions))
