"""The request to train, frozen out of a project and what a person asks of one training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.models.segmenter import SegmenterFactory, TrainableSegmenter
from napari_active_seg.models.semi_supervised_advice import UnlabelledAdvice, advice_on_unlabelled
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
from napari_active_seg.session.prediction.requests import labelled_images, sampling_plan
from napari_active_seg.session.training.control_regions import CONTROL_EVENT, ControlSquare
from napari_active_seg.session.training.task import (
    CurrentModel,
    InitialWeights,
    TrainRequest,
)

__all__ = [
    "TrainingChoices",
    "held_out_share",
    "spare_regions",
    "train_request",
    "unlabelled_advice",
]

#: Share of the finished regions that is held out where there is no validation.
_SPARE = 0.15
#: From so many newer models that are not in use on, a training says what it starts from.
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


def train_request(
    project: Project,
    factory: SegmenterFactory,
    choices: TrainingChoices,
    *,
    load: Callable[[ModelRecord], TrainableSegmenter],
    measure: str,
) -> TrainRequest:
    """Return the request to train on everything that is done in the pool.

    OneClassError where all labelled pixels are of one class, unless ``choices`` allow it.
    ``measure`` learned-loss asks for a network that foretells its loss, and d-score for one that
    was trained beside a discriminator.
    """
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
        learned_loss=measure == "learned-loss",
        holds_out=config.training.restarts > 1,
    )
    plan, notes = _with_unlabelled(project, plan, labels)
    start = _start(project, in_use, load, plan)
    return TrainRequest(
        labels=labels,
        spare=spare_regions(project, labels),
        validation=labelled_images(project),
        unlabelled=tuple(pool),
        open_source=project.images.source,
        factory=factory,
        preset=choices.preset or config.preset,
        classes=names,
        class_uids=project.classes.current.uids,
        plan=plan,
        start=start,
        sampling=sampling_plan(project),
        round=project.regions.last_round(),
        model_id=model_id,
        path=project.models.path(model_id),
        restarts=plan.restarts,
        seconds=plan.training_seconds * plan.training_length,
        standing=_standing(project, in_use, load),
        accept_worse=choices.accept_worse,
        kept_in=project.unfinished if choices.resume else None,
        notes=(
            *describe_rare_classes(counts, names),
            *notes,
            *_note_on_unused_models(project, in_use, start),
        ),
        unmeasured=explain_missing_validation(project.images.placements().values()),
        helps=choices.joins,
        controls=_controls(project),
    )


def _controls(project: Project) -> tuple[ControlSquare, ...]:
    """Return finished regions that were drawn, and that no model was measured or trained on.

    Control squares, and those of a proposal that says out of what it was drawn.
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


def _start(
    project: Project,
    in_use: ModelRecord | None,
    load: Callable[[ModelRecord], TrainableSegmenter],
    plan: TrainingOptions,
) -> InitialWeights:
    """Return what training starts from; a current model of other classes does not serve."""
    weights = plan.initial_weights
    fits = in_use is not None and in_use.class_uids == project.classes.current.uids
    if plan.init != "current" or in_use is None or not fits:
        return InitialWeights(weights)
    return InitialWeights(weights, in_use.id, in_use.preset, partial(load, in_use))


def _note_on_unused_models(
    project: Project, in_use: ModelRecord | None, start: InitialWeights
) -> tuple[str, ...]:
    """Return a note where several newer models are not in use and training starts before them."""
    if in_use is None or start.model_id is None:
        return ()
    newer = [m.id for m in project.models.all() if m.created_at > in_use.created_at]
    if len(newer) < _MANY_UNUSED:
        return ()
    return (
        f"the last {len(newer)} models ({', '.join(newer)}) are not in use: this training starts "
        f"from {in_use.id} again, with all labels so far. If it brings no better model either, "
        "train one from scratch, or put the newest in use",
    )


def _standing(
    project: Project, in_use: ModelRecord | None, load: Callable[[ModelRecord], TrainableSegmenter]
) -> CurrentModel | None:
    if in_use is None or in_use.class_uids != project.classes.current.uids:
        return None
    return CurrentModel(
        in_use.id,
        in_use.image_scores,
        in_use.validation_hash,
        partial(load, in_use),
        sampling_plan(project, model=in_use),
    )


def spare_regions(project: Project, labels: Sequence[RegionLabel]) -> frozenset[Region]:
    """Return the regions that are held out where there is no validation.

    Each is drawn once, by the project's seed and its own place: it stays held out, or learned from,
    in every round, and another project with the seed draws alike.
    """
    seed = project.config.seed
    return frozenset(
        label.region for label in labels if held_out_share(seed, label.region) < _SPARE
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
    """Return what is to be said of learning from the images that nobody has labelled."""
    pool = project.images.all(Split.POOL)
    seen = {int(k) for label in labels for k in np.unique(label.target) if k != UNLABELLED}
    labelled = count_labelled_pixels(labels)
    pixels = sum(ref.shape[0] * ref.shape[1] for ref in pool)
    each = project.config.region_size**2  # a whole image is as good as the regions that fill it
    return advice_on_unlabelled(
        n_regions=sum(max(1, label.labelled_pixels // each) for label in labels),
        n_classes=len(seen),
        labelled_share=labelled / max(pixels, 1),
        n_images=len(pool) if labelled < pixels else 0,
    )
