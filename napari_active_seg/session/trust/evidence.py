"""Gather what a project knows about its model in use, for the first answer."""

from __future__ import annotations

from collections.abc import Mapping

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.metrics import LEAST_IMAGES
from napari_active_seg.project import ModelRecord, Project, QueuedRegion, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session.model_access.model_records import (
    active_calibration,
    evaluated_at,
    load_evaluation,
)
from napari_active_seg.session.proposals.inputs import evaluation_quotas
from napari_active_seg.session.training.control_regions import CONTROL_EVENT
from napari_active_seg.session.trust.cross_validate import MOST_FOLDS
from napari_active_seg.session.trust.finished_regions import (
    finished_in_pool,
    groups_of,
    latest_saves,
    why_not_cross_validate,
)
from napari_active_seg.session.trust.scoreboard import control_report
from napari_active_seg.session.trust.store import (
    CROSS_VALIDATED,
    changes_since,
    load_cross_validation,
)
from napari_active_seg.session.trust.summary import (
    LEAST_RANDOM,
    Evidence,
    EvidenceSource,
    TrustFacts,
)

__all__ = ["gather_trust_facts", "should_offer_cross_validation", "validation_is_unscored"]

#: An estimate is offered from so many images with finished regions on.
_LEAST_TO_OFFER = 4


def gather_trust_facts(project: Project, measure: str) -> TrustFacts:
    """Return what is known of the model in use; ``measure`` is the uncertainty that is shown."""
    model = project.models.in_use()
    finished = finished_in_pool(project)
    images = {queued.region.image_id for queued in finished}
    groups = groups_of(project)
    calibration = active_calibration(project, model)
    validation = _finished_on(project, Split.VALIDATION)
    set_aside = {ref.id for ref in project.images.all(Split.VALIDATION)}
    return TrustFacts(
        model_id=None if model is None else model.id,
        evidence=() if model is None else _evidence(project, model, groups, images),
        calibration="" if calibration is None else calibration.summary,
        measure=measure,
        n_regions=len(finished),
        n_images=len(images),
        n_folds=min(MOST_FOLDS, len(_units(images, groups))),
        n_validation_left=len(set_aside - {queued.region.image_id for queued in validation}),
        n_controls_missing=evaluation_quotas(project).control.missing,
        why_not=why_not_cross_validate(project),
    )


def should_offer_cross_validation(project: Project) -> bool:
    """Return whether an estimate is worth offering: nothing else measures the model yet."""
    if why_not_cross_validate(project) or project.events.named(CROSS_VALIDATED):
        return False
    images = {queued.region.image_id for queued in finished_in_pool(project)}
    return len(images) >= _LEAST_TO_OFFER and not _finished_on(project, Split.VALIDATION)


def validation_is_unscored(project: Project) -> bool:
    """Return whether validation labels are there that the model in use was not scored on."""
    model = project.models.in_use()
    if model is None or not _finished_on(project, Split.VALIDATION):
        return False
    return load_evaluation(project, model.id) is None or bool(
        _since_evaluation(project, model, Split.VALIDATION)
    )


def _evidence(
    project: Project,
    model: ModelRecord,
    groups: Mapping[str, str | None],
    finished: set[str],
) -> tuple[Evidence, ...]:
    found = (
        _set_aside(project, model, groups, Split.TEST),
        _set_aside(project, model, groups, Split.VALIDATION),
        _cross_validated(project, model, groups, finished),
        _controls(project, groups),
    )
    return tuple(evidence for evidence in found if evidence is not None)


def _set_aside(
    project: Project, model: ModelRecord, groups: Mapping[str, str | None], split: Split
) -> Evidence | None:
    """Return how the model did on validation or test images; None where it was not measured."""
    report = load_evaluation(project, model.id, is_test=split is Split.TEST)
    in_force = model.class_uids == project.classes.current.uids
    if report is None or not report.images or not in_force:
        return None
    finished = _finished_on(project, split)
    labelled = {queued.region.image_id for queued in finished}
    all_images = {ref.id for ref in project.images.all(split)}
    changed = _since_evaluation(project, model, split)
    return Evidence(
        EvidenceSource.TEST if split is Split.TEST else EvidenceSource.VALIDATION,
        report,
        groups,
        len(finished),
        outdated=f"{_regions(changed)} finished or changed since" if changed else "",
        left=len(all_images - labelled),
    )


def _since_evaluation(project: Project, model: ModelRecord, split: Split) -> int:
    """Return how many regions that were set aside are newer than the model's score on them."""
    is_test = split is Split.TEST
    report = load_evaluation(project, model.id, is_test=is_test)
    at = evaluated_at(project, model.id, is_test=is_test)
    if report is None or at is None:
        return 0
    ids = {queued.id for queued in _finished_on(project, split)}
    new_images = {q.region.image_id for q in _finished_on(project, split)} - set(report.image_ids)
    later = sum(s.region_id in ids and s.saved_at > at for s in project.labels.efforts())
    return max(later, len(new_images))


def _cross_validated(
    project: Project,
    model: ModelRecord,
    groups: Mapping[str, str | None],
    finished: set[str],
) -> Evidence | None:
    known = load_cross_validation(project)
    if known is None or not known.report.images:
        return None
    changed = changes_since(known.saves, latest_saves(project))
    outdated = f"{_regions(changed)} finished or changed since" if changed else ""
    if known.preset != model.preset:
        outdated = f"it was made for the network {known.preset}, {model.id} is {model.preset}"
    elif not changed and model.data_hash not in ("", known.data_hash):
        outdated = f"{model.id} learned from other labels than this estimate, train again"
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    left = _units(pool, groups) - _units(finished, groups)
    return Evidence(
        EvidenceSource.CROSS_VALIDATION,
        known.report,
        known.groups,
        known.n_regions,
        n_chosen=known.n_chosen,
        n_random=known.n_random,
        random=known.random,
        outdated=outdated,
        left=len(left),
    )


def _controls(project: Project, groups: Mapping[str, str | None]) -> Evidence | None:
    """Return all control regions together, where there are enough of them."""
    report = control_report(project)
    controls = {q.id for q in project.regions.queue() if q.kind is RegionKind.CONTROL}
    measured = {
        event.subject
        for event in project.events.named(CONTROL_EVENT)
        if event.subject in controls and event.facts.get("report")
    }
    if report is None or len(measured) < LEAST_RANDOM or len(report.images) < LEAST_IMAGES:
        return None
    if report.classes != project.schema.names:
        return None
    return Evidence(EvidenceSource.CONTROL, report, groups, len(measured), n_random=len(measured))


def _finished_on(project: Project, split: Split) -> tuple[QueuedRegion, ...]:
    ids = {ref.id for ref in project.images.all(split)}
    queue = project.regions.queue()
    return tuple(q for q in queue if q.state is RegionState.DONE and q.region.image_id in ids)


def _units(image_ids: set[str], groups: Mapping[str, str | None]) -> set[str]:
    """Return the patients or slides of images; an image without one stands for itself."""
    return {groups.get(image_id) or image_id for image_id in image_ids}


def _regions(n: int) -> str:
    return "1 region was" if n == 1 else f"{n} regions were"
