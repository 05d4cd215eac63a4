"""What all services of one session share: the project, its models, the jobs and the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from psygnal import Signal

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.jobs import JobKind, Runner, Work
from napari_active_seg.jobs.queue import JobFuture, JobQueue, JobRequest
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.session.model_access.cache_key import predicted_images
from napari_active_seg.session.model_access.model_cache import ModelCache
from napari_active_seg.session.state import (
    Content,
    SessionState,
    describe_active_calibration,
    initial_state,
)
from napari_active_seg.session.task_context import Task, TaskContext
from napari_active_seg.session.ui_state import UiState

__all__ = ["SessionContext"]

T = TypeVar("T")
R = TypeVar("R")


class SessionContext:
    """The shared part of a session: services read ``state``, ``update`` it and ``submit`` jobs.

    With ``follows_screen`` the image on screen is predicted automatically, before jobs that wait.
    """

    state_changed = Signal(SessionState, SessionState)  # new, old
    content_changed = Signal(Content)  # what the state only refers to

    def __init__(
        self,
        project: Project,
        networks: SegmenterFactory,
        runner: Runner,
        *,
        follows_screen: bool,
        bookmark: UiState | None,
    ) -> None:
        self.project, self.networks = project, networks
        self.follows_screen = follows_screen
        self.models = ModelCache(project, networks)
        self.state = initial_state(project, bookmark)
        self.jobs = JobQueue(
            runner, project.folder, on_change=self._on_jobs, on_idle=self.models.free_memory
        )
        #: Puts every label that was painted a moment ago on the disk.
        self.flush_labels: Callable[[], None] = lambda: None

    def update(self, **changes: object) -> None:
        """Change the state, and emit it once."""
        old = self.state
        if changes.keys() & {"models", "predicted"}:
            changes["calibrated"] = describe_active_calibration(self.project)
        new = replace(old, **changes)  # type: ignore[arg-type]
        if new != old:
            self.state = new
            self.state_changed.emit(new, old)

    def submit(
        self, request: JobRequest[T, R], *, writes: bool = True, reads_labels: bool = True
    ) -> JobFuture[R]:
        """Submit a job; ProjectError at once where it ``writes`` and the project is read-only."""
        self.jobs.check_open()
        if writes:
            self.project.check_writable()
        if reads_labels:
            self.flush_labels()
        return self.jobs.submit(request)

    def run(
        self,
        kind: JobKind,
        task: Callable[[TaskContext], T],
        on_result: Callable[[T], R],
        *,
        writes: bool = True,
        reads_labels: bool = True,
        urgent: bool = False,
        picklable: bool = True,
    ) -> JobFuture[R]:
        """Submit a task, which waits for its turn; its result goes through ``on_result``."""
        work = self.work(task)
        request = JobRequest(
            kind, lambda: work, on_result, urgent=urgent, queueable=True, picklable=picklable
        )
        return self.submit(request, writes=writes, reads_labels=reads_labels)

    def work(self, task: Callable[[TaskContext], T]) -> Task[T]:
        """Return a task as the work of a job, with the project and the models that it reads."""
        return Task(task, self.project, self.models)

    def start(
        self, kind: JobKind, work: Work[T], on_result: Callable[[T], R], *, writes: bool = True
    ) -> JobFuture[R]:
        """Submit work whose inputs are frozen already; BusyError while another job runs."""
        return self.submit(JobRequest(kind, lambda: work, on_result), writes=writes)

    @property
    def model(self) -> ModelRecord:
        """The model in use; NothingToDoError if there is none yet."""
        model = self.state.model
        if model is None:
            raise NothingToDoError(
                "there is no model yet; label a few proposed regions and train first"
            )
        return model

    def predicted(self, measure: str | None = None) -> frozenset[str]:
        """Return the images whose stored prediction has what a measure needs."""
        return predicted_images(self.project, self.state.image_ids, measure or self.state.measure)

    def _on_jobs(self, kinds: tuple[JobKind, ...]) -> None:
        self.update(jobs=kinds)
