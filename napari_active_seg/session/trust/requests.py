"""Requests about trust, frozen out of a project."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial

import numpy as np

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import ConfigError, NothingToDoError
from napari_active_seg.models.preset_names import AUTO
from napari_active_seg.models.segmenter import Segmenter, SegmenterFactory
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import (
    ModelRecord,
    Project,
    QueuedRegion,
    Split,
    checkpoint_facts,
    migrate_training,
)
from napari_active_seg.regions import RegionState
from napari_active_seg.session.prediction.requests import labelled_images, sampling_plan
from napari_active_seg.session.training.inputs import spare_regions
from napari_active_seg.session.training.task import hash_labels
from napari_active_seg.session.trust.calibrate import CalibrateRequest
from napari_active_seg.session.trust.compare_models import CompareRequest
from napari_active_seg.session.trust.cross_validate import (
    CrossValidateRequest,
    FinishedRegion,
)
from napari_active_seg.session.trust.evaluate import EvaluateRequest
from napari_active_seg.session.trust.leakage import LeakRequest
from napari_active_seg.session.trust.review import ReviewRequest
from napari_active_seg.session.trust.store import AGREED

__all__ = [
    "audit_request",
    "calibrate_request",
    "compare_request",
    "cross_validate_request",
    "finished_in_pool",
    "groups_of",
    "latest_saves",
    "leak_request",
    "review_request",
    "why_not_cross_validate",
]

_log = logging.getLogger(__name__)
#: Models are compared on so many images of the pool, drawn once.
_COMPARED_IMAGES = 12

Load = Callable[[ModelRecord], Segmenter]


def calibrate_request(project: Project, model: ModelRecord, load: Load) -> CalibrateRequest:
    """Return the request to calibrate ``model`` on the labelled validation."""
    images = labelled_images(project)
    if not images:
        raise NothingToDoError(
            "no validation image is labelled, and a calibration is fitted on these alone; label "
            "some (propose puts squares for validation into the queue), or make the project with "
            "masks (--masks)"
        )
    return CalibrateRequest(
        images=images,
        groups=groups_of(project),
        load_segmenter=partial(load, model),
        plan=sampling_plan(project),
        seed=project.config.seed,
    )


def audit_request(project: Project, model: ModelRecord, load: Load) -> EvaluateRequest:
    """Return the request to measure ``model``, as it is used, on the images kept for that."""
    images = labelled_images(project, Split.AUDIT)
    if not images:
        raise NothingToDoError(
            "no audit image is labelled; set some aside when the project is made "
            "(--audit-fraction), and label the squares that are proposed on them"
        )
    return EvaluateRequest(
        images=images,
        load_segmenter=partial(load, model),
        model_id=model.id,
        classes=project.schema.names,
        plan=sampling_plan(project, model=model),
    )


def compare_request(project: Project, load: Load) -> CompareRequest:
    """Return the request to compare each model with the one before, where nobody did yet."""
    known = {event.subject for event in project.events.named(AGREED)}
    uids = project.classes.current.uids
    models = [m for m in project.models.all() if m.class_uids == uids]
    first = next((k for k, m in enumerate(models) if k > 0 and m.id not in known), None)
    if first is None:
        raise NothingToDoError(
            "every model was compared with the one before it"
            if len(models) > 1
            else "two models of the same classes are needed, to be compared; train again"
        )
    ids = [ref.id for ref in project.images.all(Split.POOL)]
    drawn = np.random.default_rng((project.config.seed, 0x434D)).permutation(len(ids))
    return CompareRequest(
        models=tuple((m.id, partial(load, m)) for m in models[first - 1 :]),
        image_ids=tuple(ids[k] for k in sorted(drawn[:_COMPARED_IMAGES].tolist())),
        open_source=project.images.source,
        n_classes=len(project.schema),
        seed=project.config.seed,
    )


def leak_request(project: Project) -> LeakRequest:
    """Return the request to look for images on both sides."""
    images = project.images
    aside = (*images.all(Split.VALIDATION), *images.all(Split.AUDIT))
    return LeakRequest(images.all(Split.POOL), aside, images.source, project.looks)


def review_request(project: Project, factory: SegmenterFactory) -> ReviewRequest:
    """Return the request to doubt finished labels of the pool."""
    config = project.config
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    done = [
        queued.id
        for queued in project.regions.queue()
        if queued.state is RegionState.DONE and queued.region.image_id in pool
    ]
    labels = {i: label for i in done if (label := project.labels.latest(i)) is not None}
    if not labels:
        raise NothingToDoError("no region is done yet, so there is no label to review")
    in_use = project.models.in_use()
    preset = config.preset if in_use is None else in_use.preset
    if preset == AUTO:
        preset = factory.candidates()[-1]
    return ReviewRequest(
        labels=labels,
        groups=groups_of(project),
        open_source=project.images.source,
        factory=factory,
        preset=preset,
        weights=config.training.initial_weights,
        classes=project.schema.names,
        plan=config.training.with_changes(seed=config.seed, semi_supervised="off"),
        sampling=sampling_plan(project).with_changes(uncertainty_from="dropout"),
    )


def cross_validate_request(
    project: Project, model: ModelRecord, factory: SegmenterFactory
) -> CrossValidateRequest:
    """Return the request to cross-validate the network and options of ``model``.

    NothingToDoError if the finished regions lie on one image alone.
    """
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
    plan, weights = _training_of(project, model)
    sampling = sampling_plan(project)
    notes = []
    if sampling.uncertainty_from == "ensemble":
        notes.append("each fold was predicted by one model, not by an ensemble")
    return CrossValidateRequest(
        model_id=model.id,
        regions=regions,
        groups=groups_of(project),
        held_out=tuple(label for image in labelled_images(project) for label in image.labels),
        spare=spare_regions(project, [region.label for region in regions]),
        unlabelled=tuple(ref.id for ref in project.images.all(Split.POOL)),
        open_source=project.images.source,
        factory=factory,
        preset=model.preset,
        weights=weights,
        classes=project.schema.names,
        class_uids=project.classes.current.uids,
        plan=plan,
        sampling=sampling,
        seed=project.config.seed,
        data_hash=hash_labels([label for _, label in labelled]),
        saves=latest_saves(project),
        notes=tuple(notes),
    )


def why_not_cross_validate(project: Project) -> str:
    """Return why the finished regions do not allow a cross-validation; empty if they do."""
    if project.models.in_use() is None:
        return "no model is trained yet: finish regions, then train a first model"
    groups = groups_of(project)
    images = {queued.region.image_id for queued in finished_in_pool(project)}
    if not images:
        return "no region is finished: finish regions on two images or more"
    if len(images) == 1:
        return (
            "all finished regions lie on one image, and a model has to be tested on images that "
            "it was not trained on: finish a region on another image"
        )
    if len({groups.get(image_id) or image_id for image_id in images}) == 1:
        return (
            "all finished regions are of one patient or slide, and a model has to be tested on "
            "others: finish a region on an image of another one"
        )
    return ""


def finished_in_pool(project: Project) -> tuple[QueuedRegion, ...]:
    """Return the finished regions that models learn from."""
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    return tuple(
        queued
        for queued in project.regions.queue()
        if queued.state is RegionState.DONE and queued.region.image_id in pool
    )


def latest_saves(project: Project) -> dict[str, str]:
    """Return the latest save of each finished region of the pool."""
    finished = {queued.id for queued in finished_in_pool(project)}
    return {s.region_id: s.uid for s in project.labels.efforts() if s.region_id in finished}


def _is_random(queued: QueuedRegion) -> bool:
    """Return whether a region was drawn uniformly over the tissue, whatever a model predicted."""
    if queued.kind is RegionKind.CONTROL:
        return True
    chance = queued.draw_probability
    drawn = queued.kind in (RegionKind.RANDOM, RegionKind.INITIAL) and chance is not None
    return drawn and abs((chance or 0.0) * queued.drawn_from - 1) < 1e-9


def _training_of(project: Project, model: ModelRecord) -> tuple[TrainingOptions, str]:
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


def groups_of(project: Project) -> dict[str, str | None]:
    """Return the patient or slide of each image, where it is known."""
    return {i: placed.group for i, placed in project.images.placements().items()}
