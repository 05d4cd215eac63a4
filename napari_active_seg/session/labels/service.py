"""What happens to labels in a session: painted, saved, taken back, finished, reopened."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, emit_queued

from napari_active_seg.errors import ConfigError, NothingToDoError, ProjectTakenOverError
from napari_active_seg.importers import AnnotationOptions, AnnotationSource
from napari_active_seg.jobs import JobKind, Work
from napari_active_seg.jobs.queue import JobFuture, JobRequest
from napari_active_seg.project import QueuedRegion, SavedLabel
from napari_active_seg.regions import (
    UNLABELLED,
    Effort,
    RegionLabel,
    RegionState,
    check_target,
    find_background,
)
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.labels.autosave import LabelAutosaver, PendingLabel
from napari_active_seg.session.labels.importing import import_request, label_request
from napari_active_seg.session.labels.task import Annotate, LabellingResult, label_from_source
from napari_active_seg.session.labels.unpainted import (
    NOT_LABELLED,
    RuleEffect,
    apply_rule,
    fill_note,
    fill_unpainted,
    preview_rule,
)
from napari_active_seg.session.labels.whole_images import compose_labels
from napari_active_seg.session.state import Content

__all__ = ["NOT_LABELLED", "LabelService"]


class LabelService:
    """The labels of one session.

    ``offer`` and ``leave`` return at once and write in the background; the others return when
    the disk has it.
    """

    changed = Signal()  # the labels or states of regions, on the disk

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx
        ctx.flush_labels = self.flush
        self.saver = LabelAutosaver(self._write)
        self.saver.saved.connect(self._on_saved, thread="main")
        ctx.project.database.taken_over.connect(self._on_taken_over, thread="main")

    # --- in the background -------------------------------------------------------------------

    def offer(self, region_id: str, target: NDArray[np.uint8], effort: Effort) -> None:
        """Take in what was painted; a proposed region is in progress from then on."""
        self._check(region_id, target)
        self.saver.offer(PendingLabel(region_id, None, target, effort))
        self._ctx.update(unsaved=self.saver.unsaved, finished_as="")

    def leave(
        self,
        region_id: str,
        state: RegionState,
        *,
        target: NDArray[np.uint8] | None = None,
        effort: Effort | None = None,
    ) -> None:
        """Finish work on a region: it goes to ``state``, with its last strokes if any came.

        Unpainted pixels of a region that is done get the class that the project's rule gives them.
        NothingToDoError if nothing is painted and the rule gives no class.
        """
        if target is not None:
            self._check(region_id, target)
        fill, finished_as = self._completion(region_id, state, target)
        self.saver.offer(
            PendingLabel(region_id, state, target, effort or Effort(), fill), at_once=True
        )
        self._ctx.update(unsaved=self.saver.unsaved, finished_as=finished_as)

    def flush(self) -> None:
        """Return when everything painted is on the disk; raise what keeps it from there."""
        self.saver.flush()
        if threading.current_thread() is threading.main_thread():
            emit_queued()

    def abandon(self) -> tuple[PendingLabel, ...]:
        """Return the labels that can no longer be saved, and stop trying to save them."""
        abandoned = self.saver.abandon()
        self._ctx.update(unsaved=self.saver.unsaved)
        return abandoned

    def _on_taken_over(self, error: ProjectTakenOverError) -> None:
        self._ctx.update(read_only=True, taken_over_by=error.by)

    # --- from elsewhere ----------------------------------------------------------------------

    @overload
    def answer_from_masks(
        self,
        folder: Path,
        *,
        only: str = ...,
        options: AnnotationOptions | None = ...,
        wait: Literal[True] = ...,
    ) -> LabellingResult: ...
    @overload
    def answer_from_masks(
        self,
        folder: Path,
        *,
        only: str = ...,
        options: AnnotationOptions | None = ...,
        wait: Literal[False],
    ) -> Future[LabellingResult]: ...
    def answer_from_masks(
        self,
        folder: Path,
        *,
        only: str = "proposed",
        options: AnnotationOptions | None = None,
        wait: bool = True,
    ) -> LabellingResult | Future[LabellingResult]:
        """Label from masks: the ``proposed`` regions, whole ``images``, or ``all`` of both."""
        future = self._answer(folder, only=only, options=options)
        return future.result() if wait else future

    @overload
    def answer_from(
        self,
        truth: AnnotationSource,
        *,
        image_ids: Collection[str] | None = ...,
        annotate: Annotate | None = ...,
        wait: Literal[True] = ...,
    ) -> LabellingResult: ...
    @overload
    def answer_from(
        self,
        truth: AnnotationSource,
        *,
        image_ids: Collection[str] | None = ...,
        annotate: Annotate | None = ...,
        wait: Literal[False],
    ) -> Future[LabellingResult]: ...
    def answer_from(
        self,
        truth: AnnotationSource,
        *,
        image_ids: Collection[str] | None = None,
        annotate: Annotate | None = None,
        wait: bool = True,
    ) -> LabellingResult | Future[LabellingResult]:
        """Label the proposed regions, or whole images, from a source that has the truth.

        ``annotate`` turns the truth into what is drawn; without it that is the truth itself.
        """
        only = "proposed" if image_ids is None else "images"
        future = self._answer(truth, only=only, image_ids=image_ids, annotate=annotate)
        return future.result() if wait else future

    def _answer(
        self,
        answers: Path | AnnotationSource,
        *,
        only: str,
        image_ids: Collection[str] | None = None,
        annotate: Annotate | None = None,
        options: AnnotationOptions | None = None,
    ) -> JobFuture[LabellingResult]:
        request = label_request(
            self._ctx.project,
            answers,
            waiting=self._ctx.state.open_regions,
            only=only,
            image_ids=image_ids,
            annotate=annotate,
            options=options,
        )
        work = partial(label_from_source, request)
        return self._ctx.start(JobKind.LABEL, work, self._labelled)

    @overload
    def import_from(
        self,
        path: Path,
        *,
        options: AnnotationOptions | None = ...,
        annotator: str | None = ...,
        wait: Literal[True] = ...,
    ) -> LabellingResult: ...
    @overload
    def import_from(
        self,
        path: Path,
        *,
        options: AnnotationOptions | None = ...,
        annotator: str | None = ...,
        wait: Literal[False],
    ) -> Future[LabellingResult]: ...
    def import_from(
        self,
        path: Path,
        *,
        options: AnnotationOptions | None = None,
        annotator: str | None = None,
        wait: bool = True,
    ) -> LabellingResult | Future[LabellingResult]:
        """Import labels: a folder of masks, GeoJSON, COCO, or a zip of them."""
        request = import_request(
            self._ctx.project,
            path,
            options=options or AnnotationOptions(),
            annotator=annotator or self._ctx.project.config.annotator,
        )
        work = partial(label_from_source, request)
        future = self._ctx.start(JobKind.IMPORT, work, self._labelled)
        return future.result() if wait else future

    def _labelled(self, response: LabellingResult) -> LabellingResult:
        self._show_queue()
        return response

    # --- at once -----------------------------------------------------------------------------

    def latest(self, region_id: str) -> RegionLabel | None:
        """Return the latest label of a region; None if nothing was saved."""
        return self._ctx.project.labels.latest(region_id)

    def so_far(self, image_id: str, *, step: int = 1) -> NDArray[np.uint8]:
        """Return the target of all finished regions of an image, every ``step``-th pixel of it."""
        return compose_labels(self._ctx.project, image_id, step=step)

    def save(
        self,
        region_id: str,
        target: NDArray[np.uint8],
        *,
        state: RegionState = RegionState.IN_PROGRESS,
        effort: Effort | None = None,
    ) -> None:
        """Store a region's target; it is on the disk when this returns."""
        self._check(region_id, target)
        self.flush()
        self._write(PendingLabel(region_id, state, target, effort or Effort()))
        self._show_queue()

    def set_state(self, region_id: str, state: RegionState) -> None:
        """Mark a region as done, skipped, can't tell or later; see ``leave`` for done."""
        self.flush()
        fill, finished_as = self._completion(region_id, state, None)
        self._write(PendingLabel(region_id, state, fill=fill))
        self._show_queue(finished_as=finished_as)

    def reopen(self, region_id: str) -> None:
        """Undo that a region is done, skipped or put off, and make it the current one."""
        self.flush()
        empty = self._is_empty(region_id, None)
        state = RegionState.PROPOSED if empty else RegionState.IN_PROGRESS
        self._write(PendingLabel(region_id, state))
        queued = self._ctx.project.regions.get(region_id)
        self._show_queue(region_id=region_id, image_id=queued.region.image_id)

    def annotators(self) -> tuple[str, ...]:
        """Return the names of all who saved a label."""
        return self._ctx.project.labels.annotators()

    def seconds(self, region_id: str) -> float:
        """Return the seconds of work on a region that are saved."""
        saves = self._ctx.project.labels.history(region_id)
        looked = self._ctx.project.events.of(region_id, what="state")
        facts = [event.facts.get("active_s", 0.0) for event in looked]
        numbers = [value for value in facts if isinstance(value, int | float)]
        return sum(saved.effort.active_s for saved in saves) + sum(numbers)

    def history(self, region_id: str) -> tuple[SavedLabel, ...]:
        """Return every save of a region, the oldest first."""
        self.flush()
        return self._ctx.project.labels.history(region_id)

    def restore(self, region_id: str, uid: str) -> RegionLabel:
        """Take a region back to an earlier save and return that label."""
        self.flush()
        labels = self._ctx.project.labels
        labels.restore(region_id, uid, annotator=self._ctx.project.config.annotator)
        self._show_queue()
        label = labels.latest(region_id)
        if label is None:
            raise NothingToDoError(f"region {region_id} has no label")
        return label

    def close(self) -> None:
        """Write what is left; raise what keeps it from the disk."""
        try:
            self.saver.close()
        finally:
            if threading.current_thread() is threading.main_thread():
                emit_queued()  # what its thread emitted last, while receivers are connected
            self.saver.saved.disconnect(self._on_saved)
            self._ctx.project.database.taken_over.disconnect(self._on_taken_over)

    # --- pixels that nobody painted --------------------------------------------------------------

    @property
    def unpainted_class(self) -> int | None:
        """The class that unpainted pixels of a finished region get; None for "not labelled"."""
        name, names = self._ctx.project.config.unpainted, self._ctx.project.schema.names
        return names.index(name) if name in names else None

    @property
    def asks_about_unpainted(self) -> bool:
        """Whether nobody has decided yet what unpainted pixels of a finished region are."""
        name = self._ctx.project.config.unpainted
        return name is None or name not in (NOT_LABELLED, *self._ctx.project.schema.names)

    def unpainted_pixels(self, region_id: str, target: NDArray[np.uint8]) -> int:
        """Return how many pixels of a region are not painted in ``target``."""
        queued = self._ctx.project.regions.get(region_id)
        return int(np.count_nonzero((target == UNLABELLED) & queued.place.mask))

    @property
    def background(self) -> str:
        """The class that unpainted pixels most likely are: by its name, else the first."""
        names = self._ctx.project.schema.names
        return names[find_background(names)]

    def preview_unpainted_rule(self) -> RuleEffect:
        """Return what applying the rule would change in the regions that are finished already."""
        self.flush()
        return preview_rule(self._ctx.project, self._known_rule())

    @overload
    def apply_unpainted_rule(self, *, wait: Literal[True] = ...) -> RuleEffect: ...
    @overload
    def apply_unpainted_rule(self, *, wait: Literal[False]) -> Future[RuleEffect]: ...
    def apply_unpainted_rule(self, *, wait: bool = True) -> RuleEffect | Future[RuleEffect]:
        """Apply the rule for unpainted pixels to the regions that are finished already.

        Each region that changes gets a new version; the one before stays in its history. Painted
        pixels are never changed. ConfigError while nobody has chosen what unpainted pixels are.
        """
        self._known_rule()

        def prepare() -> Work[RuleEffect]:
            return partial(apply_rule, self._ctx.project, self._known_rule())

        def deliver(effect: RuleEffect) -> RuleEffect:
            self._show_queue()
            self._ctx.content_changed.emit(Content.LABELS)
            return effect

        future = self._ctx.submit(JobRequest(JobKind.APPLY_RULE, prepare, deliver, queueable=True))
        return future.result() if wait else future

    def _known_rule(self) -> int | None:
        if self.asks_about_unpainted:
            choices = ", ".join((NOT_LABELLED, *self._ctx.project.schema.names))
            raise ConfigError(
                f"setting unpainted is {self._ctx.project.config.unpainted}: choose what unpainted "
                f"pixels of finished regions count as: {choices}"
            )
        return self.unpainted_class

    def _completion(
        self, region_id: str, state: RegionState, target: NDArray[np.uint8] | None
    ) -> tuple[int | None, str]:
        """Return the class that unpainted pixels get, and of a region without paint its name.

        NothingToDoError if it is to be done, nothing is painted, and the rule gives no class.
        """
        if state is not RegionState.DONE:
            return None, ""
        fill, is_empty = self.unpainted_class, self._is_empty(region_id, target)
        if fill is None and is_empty:
            raise NothingToDoError("nothing is painted in this region yet; paint it or skip it")
        finished_as = "" if fill is None or not is_empty else self._ctx.project.schema.names[fill]
        return fill, finished_as

    # --- inside ------------------------------------------------------------------------------

    def _write(self, unsaved: PendingLabel) -> None:
        """Put what is unsaved on the disk.

        Where unpainted pixels are filled, what was painted is a version of its own before that.
        """
        queued = self._ctx.project.regions.get(unsaved.region_id)
        state, target, effort = _state_after(unsaved, queued.state), unsaved.target, unsaved.effort
        if unsaved.fill is not None and self._write_filled(queued, unsaved, state, unsaved.fill):
            return
        if target is None:
            annotator = self._ctx.project.config.annotator
            self._ctx.project.regions.set_state(
                queued.id, state, annotator=annotator, effort=effort
            )
        else:
            self._save(queued.id, target, state, effort)

    def _write_filled(
        self, queued: QueuedRegion, unsaved: PendingLabel, state: RegionState, fill: int
    ) -> bool:
        """Save a region with its unpainted pixels filled; False where it has none."""
        latest = self._ctx.project.labels.latest(queued.id)
        known = np.full(queued.region.shape, UNLABELLED, np.uint8)
        known = known if latest is None else latest.target
        painted = known if unsaved.target is None else unsaved.target
        filled = fill_unpainted(painted, queued.place, fill)
        if np.array_equal(filled, painted):
            return False
        is_known = np.array_equal(painted, known)
        if not is_known:
            self._save(queued.id, painted, RegionState.IN_PROGRESS, Effort())
        objects = latest.objects if is_known and latest is not None else None
        note = fill_note(self._ctx.project.schema.names[fill])
        self._save(queued.id, filled, state, unsaved.effort, note=note, objects=objects)
        return True

    def _save(
        self,
        region_id: str,
        target: NDArray[np.uint8],
        state: RegionState,
        effort: Effort,
        *,
        note: str = "",
        objects: NDArray[np.int32] | None = None,
    ) -> None:
        annotator = self._ctx.project.config.annotator
        self._ctx.project.labels.save(
            region_id,
            target,
            state=state,
            annotator=annotator,
            effort=effort,
            note=note,
            objects=objects,
        )

    def _on_saved(self, unsaved: PendingLabel) -> None:
        queue = tuple(
            replace(queued, state=_state_after(unsaved, queued.state))
            if queued.id == unsaved.region_id
            else queued
            for queued in self._ctx.state.queue
        )
        self._ctx.update(queue=queue, unsaved=self.saver.unsaved)
        self.changed.emit()

    def _show_queue(self, **changes: object) -> None:
        self._ctx.update(queue=self._ctx.project.regions.queue(), **changes)
        self.changed.emit()

    def _check(self, region_id: str, target: NDArray[np.uint8]) -> None:
        classes = len(self._ctx.state.schema)
        check_target(target, n_classes=classes, where=f"region {region_id}")

    def _is_empty(self, region_id: str, target: NDArray[np.uint8] | None) -> bool:
        if target is None:
            target = self.saver.pending_target(region_id)
        if target is None:
            label = self._ctx.project.labels.latest(region_id)
            target = None if label is None else label.target
        return target is None or not (target != UNLABELLED).any()


def _state_after(unsaved: PendingLabel, now: RegionState) -> RegionState:
    if unsaved.state is not None:
        return unsaved.state
    return RegionState.IN_PROGRESS if now is RegionState.PROPOSED else now
