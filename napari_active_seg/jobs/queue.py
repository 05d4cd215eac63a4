"""The queue of jobs: one runs, the others wait, the image on screen comes first.

The inputs of a waiting job are frozen when its turn comes, so that it sees what the jobs before it
have left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from psygnal import Signal, emit_queued

from napari_active_seg.errors import ActiveSegError, BusyError, ProjectError, StoppedError
from napari_active_seg.jobs import Job, JobKind, JobResult, Progress, Runner
from napari_active_seg.jobs.error_reports import explain_error
from napari_active_seg.jobs.job import Work

__all__ = ["JobFuture", "JobQueue", "JobRequest"]

_log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
#: How long the main thread sleeps between two checks for results of other threads.
_PUMP_S = 0.02


class JobFuture(Future[R]):
    """The result of a job to come.

    ``result`` may be called on the main thread too: it delivers what other threads send there
    while it waits. ``cancel`` takes a job back that waits; one that runs is stopped by
    ``Session.cancel``.
    """

    def __init__(self, pump: Callable[[float], None]) -> None:
        super().__init__()
        self._pump = pump

    def result(self, timeout: float | None = None) -> R:
        """Return the result, or raise the error that the job ended with."""
        return super().result(self._wait(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error that the job ended with; None if it ended well."""
        return super().exception(self._wait(timeout))

    def _wait(self, timeout: float | None) -> float | None:
        """Wait on the main thread, and return how long is left to wait."""
        if threading.current_thread() is not threading.main_thread():
            return timeout
        end = None if timeout is None else time.monotonic() + timeout
        while not self.done() and (end is None or time.monotonic() < end):
            self._pump(_PUMP_S)
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class JobRequest(Generic[T, R]):
    """A job to run: ``prepare`` freezes its inputs when its turn comes and returns the work.

    ``on_result`` stores the work's result and returns what the caller gets. ``urgent`` requests go
    before others that wait. One that is not ``queueable`` is refused while another job runs.
    """

    kind: JobKind
    prepare: Callable[[], Work[T]]
    on_result: Callable[[T], R]
    urgent: bool = False
    queueable: bool = False
    picklable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Queued:
    """A request and the future of its result."""

    request: JobRequest[Any, Any]
    future: JobFuture[Any] = field(repr=False)

    @property
    def kind(self) -> JobKind:
        return self.request.kind


class JobQueue:
    """Hands requests to the runner one at a time, and results to the futures."""

    progressed = Signal(Progress)
    failed = Signal(Exception)
    ended = Signal(JobKind, object)  # a kind, and its error or None; before ``failed``

    def __init__(
        self,
        runner: Runner,
        folder: Path,
        *,
        on_change: Callable[[tuple[JobKind, ...]], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._runner, self._folder = runner, folder
        self._on_change, self._on_idle = on_change, on_idle
        self._waiting: list[_Queued] = []
        self._running: _Queued | None = None
        self._generation = 0
        self._handing_over = self._delivering = False
        self.closed = False
        runner.finished.connect(self._deliver, thread="main")
        runner.progressed.connect(self.progressed.emit, thread="main")

    @property
    def kinds(self) -> tuple[JobKind, ...]:
        """The job that runs, and those that wait in the order in which they will run."""
        running = () if self._running is None else (self._running.kind,)
        return (*running, *(queued.kind for queued in self._waiting))

    def submit(self, request: JobRequest[T, R]) -> JobFuture[R]:
        """Run a request now or when its turn comes, and return the future of its result.

        BusyError if it is not queueable and another job runs, or one of its kind is under way;
        ProjectError once all is closed. An error of ``prepare`` is raised here where the request
        does not wait, and is the future's otherwise.
        """
        self.check_open()
        kinds = self.kinds
        if request.kind in kinds or (self._running is not None and not request.queueable):
            busy = request.kind if request.kind in kinds else kinds[0]
            raise BusyError(f"{busy.title} is under way; wait for it, or stop it first")
        queued = _Queued(request, JobFuture(self.pump))
        if self._running is not None or self._delivering:
            urgent = sum(other.request.urgent for other in self._waiting)
            self._waiting.insert(urgent if request.urgent else len(self._waiting), queued)
            self._on_change(self.kinds)
            return queued.future
        work = request.prepare()
        queued.future.set_running_or_notify_cancel()
        self._hand_over(queued, work)
        self._start_next()
        return queued.future

    def check_open(self) -> None:
        """Raise ProjectError where the session was closed."""
        if self.closed:
            raise ProjectError(
                f"the session of {self._folder} is closed; open another one (open_session)"
            )

    def drop(self, kind: JobKind) -> None:
        """Take back the requests of a kind that wait."""
        self._drop([queued for queued in self._waiting if queued.kind is kind])

    def cancel(self) -> None:
        """Stop what runs, within one batch, and drop what waits."""
        self._drop(self._waiting)
        self._runner.cancel()

    def free_memory(self) -> None:
        """Let the runner free what it keeps between jobs; BusyError while one runs."""
        if self._running is not None:
            busy = self._running.kind.title
            raise BusyError(f"{busy} is under way; wait for it, or stop it first")
        self._runner.free_memory()

    def wait(self) -> None:
        """Return when nothing runs or waits."""
        self._runner.wait()

    def close(self) -> None:
        """Stop everything; results that still arrive are dropped. Closing twice does no harm."""
        if self.closed:
            return
        self.closed = True
        running, self._running = self._running, None
        self._generation += 1
        self._drop(self._waiting)
        self._runner.close()
        if threading.current_thread() is threading.main_thread():
            emit_queued()  # what its thread sent last finds its receiver gone later
        self._runner.finished.disconnect(self._deliver)
        self._runner.progressed.disconnect(self.progressed.emit)
        if running is not None:
            running.future.set_exception(StoppedError("stopped: the session was closed"))

    def _drop(self, dropped: list[_Queued]) -> None:
        self._waiting = [queued for queued in self._waiting if queued not in dropped]
        for queued in dropped:
            queued.future.cancel()
        if not self.closed:
            self._on_change(self.kinds)

    def pump(self, seconds: float) -> None:
        """Wait a moment for the runner, delivering what has arrived on the main thread."""
        self._runner.pump(seconds)

    def _hand_over(self, queued: _Queued, work: Work[Any]) -> None:
        self._generation += 1
        self._running = queued
        self._on_change(self.kinds)
        job = Job(queued.kind, self._generation, work, picklable=queued.request.picklable)
        self._handing_over = True  # an inline runner delivers before it returns
        try:
            self._runner.submit(job)
        except KeyboardInterrupt:  # of an inline runner, which has delivered: stop the rest too
            self._drop(self._waiting)
            raise
        finally:
            self._handing_over = False

    def _start_next(self) -> None:
        """Hand the next request over, and the next, as long as each ends at once."""
        while self._running is None and self._waiting:
            queued = self._waiting.pop(0)
            if not queued.future.set_running_or_notify_cancel():
                continue
            try:
                work = queued.request.prepare()
            except ActiveSegError as error:
                self._fail(queued, error)
                continue
            self._hand_over(queued, work)
        self._on_change(self.kinds)

    def _deliver(self, finished: JobResult[Any]) -> None:
        queued = self._running
        if queued is None or finished.job.generation != self._generation:
            return  # the result of a request that was dropped
        error, result = finished.error, None
        self._running, self._delivering = None, True  # what is submitted now waits for its turn
        try:
            if error is None:
                result = queued.request.on_result(finished.result)
        except ActiveSegError as not_stored:  # the disk is full, or the project was taken over
            error = not_stored
        finally:
            self._delivering = False
        self._on_idle()
        if error is None:
            self._resolve(queued, result)
        else:
            if not self._waiting:
                self._on_change(())
            self._fail(queued, explain_error(error, queued.kind.title, self._folder))
        if not self._handing_over:
            self._start_next()

    def _resolve(self, queued: _Queued, result: object) -> None:
        self._delivering = True
        try:
            queued.future.set_result(result)
        finally:
            self._delivering = False
        self.ended.emit(queued.kind, None)

    def _fail(self, queued: _Queued, error: BaseException) -> None:
        _log.debug("%s ended with an error: %s", queued.kind.title, error)
        self._delivering = True
        try:
            queued.future.set_exception(error)
        finally:
            self._delivering = False
        self.ended.emit(queued.kind, error)
        self.failed.emit(error)
