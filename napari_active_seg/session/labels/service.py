"""What happens to labels in a session: painted, saved, taken back, finished, reopened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import emit_queued

from napari_active_seg.errors import ConfigError, NothingToDoError, ProjectTakenOverError
from napari_active_seg.importers import AnnotationOptions, AnnotationSource
from napari_active_seg.jobs.queue import JobRequest, Work
from napari_active_seg.project import Project, QueuedRegion, SavedLabel
from napari_active_seg.regions import (
    UNLABELLED,
    Effort,
    RegionLabel,
    RegionState,
    check_target,
    find_background,
)
from napari_active_seg.session.labels.autosave import LabelAutosaver, PendingLabel
from napari_active_seg.session.labels.importing import import_request, label_request
from napari_active_seg.session.labels.task import Annotate, LabelResponse, label_from_source
from napari_active_seg.session.labels.unpainted import (
    NOT_LABELLED,
    RuleEffect,
    apply_rule,
    fill_note,
    fill_unpainted,
    preview_rule,
)
from napari_active_seg.session.prediction.requests import labels_so_far
from napari_active_seg.session.state import SessionState

__all__ = ["NOT_LABELLED", "LabelService"]


class LabelService:
    """The labels of one session; ``apply`` changes its state, ``state`` reads it.

    ``offer`` and ``leave`` return at once and write in the background; the others return when
    the disk has it.
    """

    def __init__(
        self,
        project: Project,
        state: Callable[[], SessionState],
        apply: Callable[..., None],
        *,
        start: Callable[..., None],
        order: Callable[..., None],
    ) -> None:
        self._project = project
        self._start, self._order = start, order
        self._state = state
        self._apply = apply
        self.saver = LabelAutosaver(self._write)
        self.saver.saved.connect(self._on_saved, thread="main")
        project.database.taken_over.connect(self._on_taken_over, thread="main")

    # --- in the background -------------------------------------------------------------------

    def offer(self, region_id: str, target: NDArray[np.uint8], effort: Effort) -> None:
        """Take in what was painted; a proposed region is in progress from then on."""
        self._check(region_id, target)
        self.saver.offer(PendingLabel(region_id, None, target, effort))
        self._apply(unsaved=self.saver.unsaved, finished_as="")

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
        self._apply(unsaved=self.saver.unsaved, finished_as=finished_as)

    def flush(self) -> None:
        """Return when everything painted is on the disk; raise what keeps it from there."""
        self.saver.flush()
        if threading.current_thread() is threading.main_thread():
            emit_queued()

    def abandon(self) -> tuple[PendingLabel, ...]:
        """Return the labels that can no longer be saved, and stop trying to save them."""
        abandoned = self.saver.abandon()
        self._apply(unsaved=self.saver.unsaved)
        return abandoned

    def _on_taken_over(self, error: ProjectTakenOverError) -> None:
        self._apply(read_only=True, taken_over_by=error.by)

    # --- from elsewhere ----------------------------------------------------------------------

    def answer_from_masks(
        self,
        folder: Path,
        *,
        only: str = "proposed",
        options: AnnotationOptions | None = None,
        on_done: Callable[[LabelResponse], None] | None = None,
    ) -> None:
        """Let masks answer: the ``proposed`` regions, whole ``images``, or ``all`` of both."""
        self._answer(folder, only=only, on_done=on_done, options=options)

    def answer_from(
        self,
        truth: AnnotationSource,
        *,
        image_ids: Collection[str] | None = None,
        annotate: Annotate | None = None,
    ) -> None:
        """Let somebody answer who knows the truth: the proposed regions, or these whole images.

        ``annotate`` is what is drawn of it; without it that is the truth itself.
        """
        only = "proposed" if image_ids is None else "images"
        self._answer(truth, only=only, image_ids=image_ids, annotate=annotate)

    def _answer(
        self,
        answers: Path | AnnotationSource,
        *,
        only: str,
        on_done: Callable[[LabelResponse], None] | None = None,
        **how: Any,
    ) -> None:
        waiting = self._state().open_regions
        request = label_request(self._project, answers, waiting=waiting, only=only, **how)
        work = partial(label_from_source, request)
        self._start("labelling", work, partial(self._labelled, on_done))

    def import_from(
        self,
        path: Path,
        *,
        options: AnnotationOptions | None = None,
        annotator: str | None = None,
        on_done: Callable[[LabelResponse], None] | None = None,
    ) -> None:
        """Take over labels: a folder of masks, GeoJSON, COCO, or a zip of them."""
        request = import_request(
            self._project,
            path,
            options=options or AnnotationOptions(),
            annotator=annotator or self._project.config.annotator,
        )
        work = partial(label_from_source, request)
        self._start("importing", work, partial(self._labelled, on_done))

    def _labelled(self, on_done: Callable[[LabelResponse], None] | None, result: object) -> None:
        if isinstance(result, LabelResponse):
            self._apply(queue=self._project.regions.queue())
            if on_done is not None:
                on_done(result)

    # --- at once -----------------------------------------------------------------------------

    def latest(self, region_id: str) -> RegionLabel | None:
        """Return the latest label of a region; None if nothing was saved."""
        return self._project.labels.latest(region_id)

    def so_far(self, image_id: str, *, step: int = 1) -> NDArray[np.uint8]:
        """Return the target of all finished regions of an image, every ``step``-th pixel of it."""
        return labels_so_far(self._project, image_id, step=step)

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
        self._apply(queue=self._project.regions.queue())

    def set_state(self, region_id: str, state: RegionState) -> None:
        """Mark a region as done, skipped, can't tell or later; see ``leave`` for done."""
        self.flush()
        fill, finished_as = self._completion(region_id, state, None)
        self._write(PendingLabel(region_id, state, fill=fill))
        self._apply(queue=self._project.regions.queue(), finished_as=finished_as)

    def reopen(self, region_id: str) -> None:
        """Take back that a region is done, skipped or put off, and take it in hand again."""
        self.flush()
        empty = self._is_empty(region_id, None)
        state = RegionState.PROPOSED if empty else RegionState.IN_PROGRESS
        self._write(PendingLabel(region_id, state))
        queued = self._project.regions.get(region_id)
        self._apply(
            queue=self._project.regions.queue(),
            region_id=region_id,
            image_id=queued.region.image_id,
        )

    def annotators(self) -> tuple[str, ...]:
        """Return the names of all who saved a label."""
        return self._project.labels.annotators()

    def seconds(self, region_id: str) -> float:
        """Return the seconds of work on a region that are saved."""
        saves = self._project.labels.history(region_id)
        looked = self._project.events.of(region_id, what="state")
        facts = [event.facts.get("active_s", 0.0) for event in looked]
        numbers = [value for value in facts if isinstance(value, int | float)]
        return sum(saved.effort.active_s for saved in saves) + sum(numbers)

    def history(self, region_id: str) -> tuple[SavedLabel, ...]:
        """Return every save of a region, the oldest first."""
        self.flush()
        return self._project.labels.history(region_id)

    def restore(self, region_id: str, uid: str) -> RegionLabel:
        """Take a region back to an earlier save and return that label."""
        self.flush()
        labels = self._project.labels
        labels.restore(region_id, uid, annotator=self._project.config.annotator)
        self._apply(queue=self._project.regions.queue())
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
                emit_queued()  # what its thread told last, while somebody is here to hear it
            self.saver.saved.disconnect(self._on_saved)
            self._project.database.taken_over.disconnect(self._on_taken_over)

    # --- pixels that nobody painted --------------------------------------------------------------

    @property
    def unpainted_class(self) -> int | None:
        """The class that unpainted pixels of a finished region get; None for "not labelled"."""
        name, names = self._project.config.unpainted, self._project.schema.names
        return names.index(name) if name in names else None

    @property
    def asks_about_unpainted(self) -> bool:
        """Whether nobody has said yet what unpainted pixels of a finished region are."""
        name = self._project.config.unpainted
        return name is None or name not in (NOT_LABELLED, *self._project.schema.names)

    def unpainted_pixels(self, region_id: str, target: NDArray[np.uint8]) -> int:
        """Return how many pixels of a region are not painted in ``target``."""
        queued = self._project.regions.get(region_id)
        return int(np.count_nonzero((target == UNLABELLED) & queued.place.mask))

    @property
    def background(self) -> str:
        """The class that unpainted pixels most likely are: by its name, else the first."""
        names = self._project.schema.names
        return names[find_background(names)]

    def preview_unpainted_rule(self) -> RuleEffect:
        """Return what applying the rule would change in the regions that are finished already."""
        self.flush()
        return preview_rule(self._project, self._known_rule())

    def apply_unpainted_rule(self, *, on_done: Callable[[RuleEffect], None] | None = None) -> None:
        """Apply the rule to the regions that are finished already; a job.

        Each region that changes gets a new version; the one before stays in its history. Painted
        pixels are never changed. ConfigError while nobody has said what unpainted pixels are.
        """
        self._known_rule()

        def prepare() -> Work:
            return partial(apply_rule, self._project, self._known_rule())

        def deliver(result: object) -> None:
            if isinstance(result, RuleEffect):
                self._apply(
                    queue=self._project.regions.queue(), relabelled=self._state().relabelled + 1
                )
                if on_done is not None:
                    on_done(result)

        self._order(JobRequest("completing finished regions", prepare, deliver, queueable=True))

    def _known_rule(self) -> int | None:
        if self.asks_about_unpainted:
            choices = ", ".join((NOT_LABELLED, *self._project.schema.names))
            raise ConfigError(
                f"setting unpainted is {self._project.config.unpainted}: choose what unpainted "
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
        finished_as = "" if fill is None or not is_empty else self._project.schema.names[fill]
        return fill, finished_as

    # --- inside ------------------------------------------------------------------------------

    def _write(self, unsaved: PendingLabel) -> None:
        """Put what is unsaved on the disk.

        Where unpainted pixels are filled, what was painted is a version of its own before that.
        """
        queued = self._project.regions.get(unsaved.region_id)
        state, target, effort = _state_after(unsaved, queued.state), unsaved.target, unsaved.effort
        if unsaved.fill is not None and self._write_filled(queued, unsaved, state, unsaved.fill):
            return
        if target is None:
            annotator = self._project.config.annotator
            self._project.regions.set_state(queued.id, state, annotator=annotator, effort=effort)
        else:
            self._save(queued.id, target, state, effort)

    def _write_filled(
        self, queued: QueuedRegion, unsaved: PendingLabel, state: RegionState, fill: int
    ) -> bool:
        """Save a region with its unpainted pixels filled; False where it has none."""
        latest = self._project.labels.latest(queued.id)
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
        note = fill_note(self._project.schema.names[fill])
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
        annotator = self._project.config.annotator
        self._project.labels.save(
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
            for queued in self._state().queue
        )
        self._apply(queue=queue, unsaved=self.saver.unsaved)

    def _check(self, region_id: str, target: NDArray[np.uint8]) -> None:
        classes = len(self._state().schema)
        check_target(target, n_classes=classes, where=f"region {region_id}")

    def _is_empty(self, region_id: str, target: NDArray[np.uint8] | None) -> bool:
        if target is None:
            target = self.saver.pending_target(region_id)
        if target is None:
            label = self._project.labels.latest(region_id)
            target = None if label is None else label.target
        return target is None or not (target != UNLABELLED).any()


def _state_after(unsaved: PendingLabel, now: RegionState) -> RegionState:
    if unsaved.state is not None:
        return unsaved.state
    return RegionState.IN_PROGRESS if now is RegionState.PROPOSED else now
