"""Requests about trust, frozen out of a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.preset_names import AUTO
from napari_active_seg.project import ModelRecord, Project, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.segmenter import Segmenter, SegmenterFactory
from napari_active_seg.session.requests import labelled_images, sampling_plan
from napari_active_seg.session.steps.calibrate import CalibrateRequest
from napari_active_seg.session.steps.compare_models import CompareRequest
from napari_active_seg.session.steps.evaluate import EvaluateRequest
from napari_active_seg.session.steps.near_copies import LeakRequest
from napari_active_seg.session.steps.review import ReviewRequest
from napari_active_seg.session.trust.records import AGREED

__all__ = [
    "audit_request",
    "calibrate_request",
    "compare_request",
    "leak_request",
    "review_request",
]

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
        groups=_groups(project),
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
        groups=_groups(project),
        open_source=project.images.source,
        factory=factory,
        preset=preset,
        weights=config.weights,
        classes=project.schema.names,
        plan=replace(config.training_plan, unlabelled="off"),
        sampling=replace(sampling_plan(project), method="dropout"),
    )


def _groups(project: Project) -> dict[str, str | None]:
    return {i: placed.group for i, placed in project.images.placements().items()}
