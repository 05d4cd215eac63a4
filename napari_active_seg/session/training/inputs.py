"""What a training reads from a project: labels, options, and the model to start from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, TrainableSegmenter
from napari_active_seg.models.semi_supervised_advice import UnlabelledAdvice, advise_on_unlabelled
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import (
    OFFERED_EVENT,
    ModelRecord,
    Project,
    Split,
    explain_missing_validation,
)
from napari_active_seg.regions import (
    UNLABELLED,
    Region,
    RegionLabel,
    RegionState,
    count_labelled_pixels,
)
from napari_active_seg.session.labels.class_counts import (
    count_classes,
    describe_rare_classes,
    find_only_class,
    one_class_error,
)
from napari_active_seg.session.labels.unpainted import has_unpainted
from napari_active_seg.session.labels.whole_images import LabelledImage, labelled_images
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.training.control_regions import CONTROL_EVENT, ControlSquare

__all__ = [
    "CurrentModel",
    "InitialWeights",
    "TrainingChoices",
    "TrainingInputs",
    "hash_labels",
    "held_out_share",
    "holdout_regions",
    "read_training_inputs",
    "unlabelled_advice",
]

#: Share of the finished regions that is held out where there is no validation.
_HOLDOUT = 0.15
#: Number of newer, unused models from which on a training notes what it starts from.
_MANY_UNUSED = 2


@dataclass(frozen=True, slots=True)
class TrainingChoices:
    """The choices for one training; None stands for the project's settings.

    ``settings`` are settings of the project that hold for this training alone. One that ``joins``
    is a further process of a training that another process saves.
    """

    preset: str | None = None
    epochs: int | None = None
    seed: int | None = None
    accept_worse: bool = False
    resume: bool = True
    allow_one_class: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)
    joins: bool = False
    measure: str = (
        ""  #: the measure on show; "learned-loss" trains a network that predicts its loss
    )


def hash_labels(labels: Sequence[RegionLabel]) -> str:
    """Return a hash of every labelled pixel and its place."""
    digest = hashlib.sha256()
    for label in labels:
        digest.update(repr(label.region).encode())
        digest.update(label.target.tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """What a training begins with: a model of this project, or weights from before it."""

    weights: str
    model_id: str | None = None
    preset: str | None = None
    load: Callable[[], TrainableSegmenter] | None = None

    def model_for(self, preset: str) -> Callable[[], TrainableSegmenter] | None:
        """Return what loads the model to go on from, where it is of the same network."""
        return self.load if self.preset == preset else None


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The model in use, that a new one has to keep up with."""

    model_id: str
    image_scores: Mapping[str, float]
    validation_hash: str
    load: Callable[[], Segmenter]
    plan: InferenceOptions  #: how it predicts where it is in use


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """The labels to train on, the options, and where the checkpoint belongs.

    ``holdout`` are regions that may be held out where there is no validation. ``resume_dir`` has
    the checkpoints of an unfinished training; None keeps none. One that ``joins`` is a further
    process of a training that another process saves. ``unmeasured`` is why no model of the project
    can be measured.
    """

    labels: tuple[RegionLabel, ...]
    holdout: frozenset[Region]
    validation: tuple[LabelledImage, ...]
    unlabelled: tuple[str, ...]
    preset: str
    classes: tuple[str, ...]
    class_uids: tuple[int, ...]
    options: TrainingOptions
    initial: InitialWeights
    inference: InferenceOptions
    round: int
    model_id: str
    path: Path
    restarts: int = 1
    seconds: float = 60.0
    current: CurrentModel | None = None
    accept_worse: bool = False
    resume_dir: Path | None = None
    notes: tuple[str, ...] = ()
    unmeasured: str = ""
    joins: bool = False
    controls: tuple[ControlSquare, ...] = ()

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that are read: labelled ones, and all of the pool where they are learned from."""
        labelled = [label.region.image_id for label in self.labels]
        learned = self.unlabelled if self.options.semi_supervised != "off" else ()
        return (*labelled, *(image.id for image in self.validation), *learned)

    @property
    def data_hash(self) -> str:
        """A hash of every labelled pixel and its place."""
        return hash_labels(self.labels)


def read_training_inputs(task: TaskContext, choices: TrainingChoices) -> TrainingInputs:
    """Return everything that is done in the pool, and how to train on it.

    OneClassError where all labelled pixels are of one class, unless ``choices`` allow it.
    """
    project = task.project
    config, model_id = project.config.with_changes(**choices.settings), project.models.next_id()
    pool = [ref.id for ref in project.images.all(Split.POOL)]
    labels = project.labels.done(pool)
    names = project.schema.names
    counts = count_classes(labels, len(names))
    only = None if choices.allow_one_class else find_only_class(counts)
    if only is not None:
        gaps = has_unpainted(project, pool)
        raise one_class_error(counts, only, names, n_regions=len(labels), has_unpainted=gaps)
    in_use = project.models.in_use()
    plan = config.training.with_changes(
        epochs=choices.epochs,
        seed=config.seed if choices.seed is None else choices.seed,
        learned_loss=choices.measure == "learned-loss",
        holds_out=config.training.restarts > 1,
    )
    plan, notes = _with_unlabelled(project, plan, labels)
    initial = _initial_weights(task, in_use, plan)
    return TrainingInputs(
        labels=labels,
        holdout=holdout_regions(project, labels),
        validation=labelled_images(project),
        unlabelled=tuple(pool),
        preset=choices.preset or config.preset,
        classes=names,
        class_uids=project.classes.current.uids,
        options=plan,
        initial=initial,
        inference=inference_options(project),
        round=project.regions.last_round(),
        model_id=model_id,
        path=project.models.path(model_id),
        restarts=plan.restarts,
        seconds=plan.training_seconds * plan.training_length,
        current=_current_model(task, in_use),
        accept_worse=choices.accept_worse,
        resume_dir=project.unfinished if choices.resume else None,
        notes=(
            *describe_rare_classes(counts, names),
            *notes,
            *_note_on_unused_models(project, in_use, initial),
        ),
        unmeasured=explain_missing_validation(project.images.placements().values()),
        joins=choices.joins,
        controls=_controls(project),
    )


def _controls(project: Project) -> tuple[ControlSquare, ...]:
    """Return finished regions that were drawn, and that no model was measured or trained on.

    Control squares, and those of a proposal that recorded its sampling frame.
    """
    known = {event.subject for event in project.events.named(CONTROL_EVENT)}
    drawn = {event.subject for event in project.events.named(OFFERED_EVENT)}
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    waiting = [
        queued
        for queued in project.regions.queue()
        if (
            queued.kind is RegionKind.CONTROL
            or (queued.kind in (RegionKind.CHOSEN, RegionKind.RANDOM) and queued.proposal in drawn)
        )
        and queued.state is RegionState.DONE
        and queued.id not in known
        and queued.region.image_id in pool
    ]
    labels = ((queued.id, project.labels.latest(queued.id)) for queued in waiting)
    return tuple(ControlSquare(i, label) for i, label in labels if label is not None)


def _initial_weights(
    task: TaskContext, in_use: ModelRecord | None, options: TrainingOptions
) -> InitialWeights:
    """Return what training starts from; a current model of other classes does not serve."""
    weights = options.initial_weights
    fits = in_use is not None and in_use.class_uids == task.project.classes.current.uids
    if options.init != "current" or in_use is None or not fits:
        return InitialWeights(weights)
    return InitialWeights(weights, in_use.id, in_use.preset, partial(task.models.load, in_use))


def _note_on_unused_models(
    project: Project, in_use: ModelRecord | None, initial: InitialWeights
) -> tuple[str, ...]:
    """Return a note where several newer models are not in use and training starts before them."""
    if in_use is None or initial.model_id is None:
        return ()
    newer = [m.id for m in project.models.all() if m.created_at > in_use.created_at]
    if len(newer) < _MANY_UNUSED:
        return ()
    return (
        f"the last {len(newer)} models ({', '.join(newer)}) are not in use: this training starts "
        f"from {in_use.id} again, with all labels so far. If it brings no better model either, "
        "train one from scratch, or put the newest in use",
    )


def _current_model(task: TaskContext, in_use: ModelRecord | None) -> CurrentModel | None:
    if in_use is None or in_use.class_uids != task.project.classes.current.uids:
        return None
    return CurrentModel(
        in_use.id,
        in_use.image_scores,
        in_use.validation_hash,
        partial(task.models.load, in_use),
        inference_options(task.project, model=in_use),
    )


def holdout_regions(project: Project, labels: Sequence[RegionLabel]) -> frozenset[Region]:
    """Return the regions that are held out where there is no validation.

    Each is drawn once, by the project's seed and its own place: it stays held out, or learned from,
    in every round, and another project with the seed draws alike.
    """
    seed = project.config.seed
    return frozenset(
        label.region for label in labels if held_out_share(seed, label.region) < _HOLDOUT
    )


def held_out_share(seed: int, region: Region) -> float:
    """Return a number in 0..1 that belongs to a region of projects with a seed for good."""
    digest = hashlib.sha256(f"{seed} {region!r}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _with_unlabelled(
    project: Project, plan: TrainingOptions, labels: Sequence[RegionLabel]
) -> tuple[TrainingOptions, tuple[str, ...]]:
    """Return the plan without unlabelled images where there are too few labels, and why."""
    if plan.semi_supervised == "off":
        return plan, ()
    advice = unlabelled_advice(project, labels)
    if advice.may_be_used:
        return plan, (advice.summary,)
    return plan.with_changes(semi_supervised="off"), (f"{advice.summary}; trained on labels alone",)


def unlabelled_advice(project: Project, labels: Sequence[RegionLabel]) -> UnlabelledAdvice:
    """Return the advice on learning from unlabelled images."""
    pool = project.images.all(Split.POOL)
    seen = {int(k) for label in labels for k in np.unique(label.target) if k != UNLABELLED}
    labelled = count_labelled_pixels(labels)
    pixels = sum(ref.shape[0] * ref.shape[1] for ref in pool)
    each = project.config.region_size**2  # a whole image is as good as the regions that fill it
    return advise_on_unlabelled(
        n_regions=sum(max(1, label.labelled_pixels // each) for label in labels),
        n_classes=len(seen),
        labelled_share=labelled / max(pixels, 1),
        n_images=len(pool) if labelled < pixels else 0,
    )
