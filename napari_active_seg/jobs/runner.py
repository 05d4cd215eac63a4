"""Runners: one job after the other, in a thread or in line, with the same interface.

``progressed`` and ``finished`` are emitted where the work runs; a receiver that must be on the
main thread connects with ``thread="main"``.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from psygnal import Signal, SignalInstance, emit_queued

from napari_active_seg.errors import BusyError
from napari_active_seg.jobs.interrupts import stop_on_interrupt
from napari_active_seg.jobs.job import CancelToken, Job, Progress

__all__ = ["InlineRunner", "JobResult", "Runner", "ThreadRunner", "execute"]

_log = logging.getLogger(__name__)
T = TypeVar("T")
_PUMP_S = 0.02
#: A bar that moves ten times a second looks smooth; more reports would only slow the window.
_BETWEEN_REPORTS_S = 0.1
#: How long to wait for a cancelled job to stop.
_END_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class JobResult(Generic[T]):
    """The end of a job: its result, or the error that ended it."""

    job: Job[T]
    result: T | None = None
    error: BaseException | None = None


class Runner(Protocol):
    """Runs jobs one at a time, in the order in which they came."""

    @property
    def progressed(self) -> SignalInstance:
        """Emits Progress."""

    @property
    def finished(self) -> SignalInstance:
        """Emits JobResult, once for each job that was started."""

    def submit(self, job: Job[T]) -> None:
        """Queue a job."""

    def cancel(self) -> None:
        """Stop the job that runs, within one batch, and drop those that wait."""

    def pump(self, seconds: float) -> None:
        """Wait so long at most for a job to end; on the main thread, deliver what has arrived."""

    def wait(self) -> None:
        """Return when nothing runs or waits and all results were delivered."""

    def free_memory(self) -> None:
        """Free what is kept between jobs, where nothing runs."""

    def close(self) -> None:
        """Cancel everything and end the threads."""


class InlineRunner:
    """Runs each job at once in the calling thread: for scripts, notebooks and tests.

    An interrupt stops a job as ``cancel`` does, and is raised when the job has ended.
    """

    progressed = Signal(Progress)
    finished = Signal(JobResult)

    def __init__(self) -> None:
        self._token = CancelToken()

    def submit(self, job: Job[T]) -> None:
        """Run the job now."""
        self._token = token = CancelToken()
        with stop_on_interrupt(token):
            self.finished.emit(execute(job, token, self.progressed))

    def cancel(self) -> None:
        """Stop the job that runs (called from within it or from a signal handler)."""
        self._token.cancel()

    def pump(self, seconds: float) -> None:
        """Raise BusyError: a job that still waits here runs after the one that waits for it."""
        raise BusyError("a result is being stored; call this when the job before it has ended")

    def wait(self) -> None:
        """Return at once: nothing ever waits."""

    def free_memory(self) -> None:
        """Do nothing: nothing is kept."""

    def close(self) -> None:
        """Do nothing: it has no threads."""


class ThreadRunner:
    """Runs jobs one after the other in a thread of its own."""

    progressed = Signal(Progress)
    finished = Signal(JobResult)

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Job[Any], CancelToken] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._tokens: list[CancelToken] = []
        self._idle = threading.Condition()
        self._open_jobs = 0
        self._thread = threading.Thread(target=self._loop, name="active-seg-worker", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> None:
        """Queue a job."""
        token = CancelToken()
        with self._lock:
            self._tokens.append(token)
        with self._idle:
            self._open_jobs += 1
        self._queue.put((job, token))

    def cancel(self) -> None:
        """Stop the job that runs and those that wait; each still ends with JobResult."""
        with self._lock:
            for token in self._tokens:
                token.cancel()

    def pump(self, seconds: float) -> None:
        """Wait so long at most for a job to end; on the main thread, deliver what has arrived."""
        with self._idle:
            if self._open_jobs:
                self._idle.wait(timeout=seconds)
        if threading.current_thread() is threading.main_thread():
            emit_queued()

    def wait(self) -> None:
        """Return when all jobs ended, delivering queued results if this is the main thread."""
        ended = False
        while not (ended and self._open_jobs == 0):
            ended = self._open_jobs == 0
            self.pump(_PUMP_S)

    def free_memory(self) -> None:
        """Do nothing: a thread keeps nothing."""

    def close(self) -> None:
        """Cancel everything, and return when the thread has ended, or with a warning after 30 s."""
        self.cancel()
        self._queue.put(None)
        self._thread.join(timeout=_END_WITHIN_S)
        if self._thread.is_alive():
            _log.warning(
                "a job has not stopped within %g s; its thread ends when the job looks again",
                _END_WITHIN_S,
            )

    def _loop(self) -> None:
        while (item := self._queue.get()) is not None:
            job, token = item
            finished = self._run(job, token)
            with self._lock:
                self._tokens.remove(token)
            self.finished.emit(finished)
            with self._idle:
                self._open_jobs -= 1
                self._idle.notify_all()

    def _run(self, job: Job[T], token: CancelToken) -> JobResult[T]:
        return execute(job, token, self.progressed)


def execute(job: Job[T], token: CancelToken, progressed: SignalInstance) -> JobResult[T]:
    """Run a job in this thread and return how it ended; its progress is thinned."""
    last = 0.0

    def report(
        done: int,
        total: int,
        text: str = "",
        *,
        loss: float | None = None,
        held_out: float | None = None,
    ) -> None:
        nonlocal last
        now = time.monotonic()
        if done in (0, total) or now - last >= _BETWEEN_REPORTS_S:
            last = now
            progressed.emit(Progress(job.kind, done, total, text, loss, held_out))

    try:
        token.check()
        return JobResult(job, result=job.work(token, report))
    except Exception as error:  # noqa: BLE001 - the one place that carries errors across threads
        traceback.clear_frames(error.__traceback__)  # what the job held goes, its lines stay
        _log.debug("%s ended with an error", job.kind.title, exc_info=error)
        return JobResult(job, error=error)
