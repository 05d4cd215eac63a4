"""Let a simulated annotator label regions, or take labels from elsewhere over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.images import ImageRef
from napari_active_seg.importers import (
    AnnotationSource,
    DescribesReading,
    HasProvenance,
    MaskConvention,
    Provenance,
)
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import UNLABELLED, Effort, MaskedRegion, Region

__all__ = ["Annotate", "LabelRequest", "LabellingResult", "label_from_source"]

#: What an annotator draws given the truth (h, w) of a place, after a number of regions.
Annotate = Callable[[NDArray[np.uint8], MaskedRegion, int], tuple[NDArray[np.uint8], Effort]]


def _ignore(*_what: object) -> None:
    """Keep nothing: labels of strangers have no history."""


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Regions to answer, images to take over, and where the answers go.

    ``place`` returns the id of the region that a part of an image becomes in the queue. With
    ``annotate`` the source is the truth that somebody draws after, who has answered ``before``
    regions already. ``keep_known`` takes in parts of a project of ours, with their history.
    """

    regions: tuple[QueuedRegion, ...]
    images: tuple[ImageRef, ...]
    open_source: Callable[[], AbstractContextManager[AnnotationSource]]
    keep: Callable[[str, NDArray[np.uint8], NDArray[np.int32] | None, Effort], None]
    place: Callable[[Region], str]
    annotate: Annotate | None = None
    before: int = 0
    keep_known: Callable[
        [Region, Provenance, NDArray[np.uint8], NDArray[np.int32] | None], None
    ] = _ignore


@dataclass(frozen=True, slots=True)
class LabellingResult:
    """How many regions and parts of images were labelled, and which images had no label."""

    regions: int
    parts: int
    without_label: tuple[str, ...]
    convention: MaskConvention | None = None  #: how the numbers of masks were read
    notes: tuple[str, ...] = ()  #: what was left out or changed


def label_from_source(
    request: LabelRequest, token: CancelToken, report: ProgressCallback
) -> LabellingResult:
    """Label everything that the source knows, saving each region before the next."""
    report(0, 1, "reading the labels")
    with request.open_source() as source:
        return _label(request, source, token, report)


def _label(
    request: LabelRequest, source: AnnotationSource, token: CancelToken, report: ProgressCallback
) -> LabellingResult:
    known = set(source.image_ids)
    regions = [queued for queued in request.regions if queued.region.image_id in known]
    images = [ref for ref in request.images if ref.id in known]
    parts = [part for ref in images for part in source.parts(ref)]
    total = len(regions) + len(parts)
    if total == 0:
        raise NothingToDoError(
            "there is nothing to label from these labels: propose regions first, "
            "or take whole images over (--only images)"
        )
    for number, queued in enumerate(regions):
        token.check()
        request.keep(queued.id, *_answer(request, source, queued.place, number))
        report(number + 1, total, queued.region.image_id)
    taken = 0
    for number, part in enumerate(parts, len(regions)):
        token.check()
        facts = source.facts(part) if isinstance(source, HasProvenance) else None
        target, objects, effort = _answer(request, source, MaskedRegion(part), number)
        if facts is not None:
            request.keep_known(part, facts, target, objects)
            taken += 1
        elif (target != UNLABELLED).any():
            request.keep(request.place(part), target, objects, effort)
            taken += 1
        report(number + 1, total, part.image_id)
    asked = [queued.region.image_id for queued in request.regions]
    asked += [ref.id for ref in request.images]
    missing = tuple(sorted({image_id for image_id in asked if image_id not in known}))
    if not isinstance(source, DescribesReading):
        return LabellingResult(len(regions), taken, missing)
    return LabellingResult(len(regions), taken, missing, source.convention, source.notes)


def _answer(
    request: LabelRequest, source: AnnotationSource, place: MaskedRegion, number: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None, Effort]:
    """Return target, ids of objects and effort; ids are dropped where the truth was changed."""
    truth, objects = source.read_target(place.region), source.objects(place.region)
    if request.annotate is None:
        return truth, objects, Effort()
    target, effort = request.annotate(truth, place, request.before + number)
    same = bool((target == truth)[place.mask].all())
    return target, objects if same else None, effort
