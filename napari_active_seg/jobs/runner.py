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
from typing import Protocol

from psygnal import Signal, SignalInstance, emit_queued

from napari_active_seg.jobs.interrupts import stopping_on_interrupt
from napari_active_seg.jobs.job import CancelToken, Job, Progress

__all__ = ["InlineRunner", "JobResult", "Runner", "ThreadRunner", "execute"]

_log = logging.getLogger(__name__)
#: A bar that moves ten times a second is fluent; more would only keep the window busy.
_BETWEEN_REPORTS_S = 0.1
#: So long is waited for a cancelled job to stop.
_END_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class JobResult:
    """The end of a job: its result, or the error that ended it."""

    job: Job
    result: object = None
    error: BaseException | None = None


class Runner(Protocol):
    """Runs jobs one at a time, in the order in which they came."""

    @property
    def progressed(self) -> SignalInstance:
        """Emits Progress."""

    @property
    def finished(self) -> SignalInstance:
        """Emits JobResult, once for each job that was started."""

    def submit(self, job: Job) -> None:
        """Queue a job."""

    def cancel(self) -> None:
        """Stop the job that runs, within one batch, and drop those that wait."""

    def wait(self) -> None:
        """Return when nothing runs or waits and all results were delivered."""

    def free_memory(self) -> None:
        """Let go of what is kept between jobs, where nothing runs."""

    def close(self) -> None:
        """Cancel everything and let go of threads."""


class InlineRunner:
    """Runs each job at once in the calling thread: for scripts, notebooks and tests.

    An interrupt stops a job as ``cancel`` does, and is raised when the job has ended.
    """

    progressed = Signal(Progress)
    finished = Signal(JobResult)

    def __init__(self) -> None:
        self._token = CancelToken()

    def submit(self, job: Job) -> None:
        """Run the job now."""
        self._token = token = CancelToken()
        with stopping_on_interrupt(token):
            self.finished.emit(execute(job, token, self.progressed))

    def cancel(self) -> None:
        """Stop the job that runs (called from within it or from a signal handler)."""
        self._token.cancel()

    def wait(self) -> None:
        """Return at once: nothing ever waits."""

    def free_memory(self) -> None:
        """Do nothing: nothing is kept."""

    def close(self) -> None:
        """Do nothing: there are no threads."""


class ThreadRunner:
    """Runs jobs one after the other in a thread of its own."""

    progressed = Signal(Progress)
    finished = Signal(JobResult)

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Job, CancelToken] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._tokens: list[CancelToken] = []
        self._idle = threading.Condition()
        self._open_jobs = 0
        self._thread = threading.Thread(target=self._loop, name="active-seg-worker", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
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

    def wait(self) -> None:
        """Return when all jobs ended, delivering queued results if this is the main thread."""
        main = threading.current_thread() is threading.main_thread()
        while True:
            with self._idle:
                ended = self._open_jobs == 0
                if not ended:
                    self._idle.wait(timeout=0.02)
            if main:
                emit_queued()
            if ended and self._open_jobs == 0:
                return

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

    def _run(self, job: Job, token: CancelToken) -> JobResult:
        return execute(job, token, self.progressed)


def execute(job: Job, token: CancelToken, progressed: SignalInstance) -> JobResult:
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
            progressed.emit(Progress(job.name, done, total, text, loss, held_out))

    try:
        token.check()
        return JobResult(job, result=job.work(token, report))
    except Exception as error:  # noqa: BLE001 - the one place that carries errors across threads
        traceback.clear_frames(error.__traceback__)  # what the job held goes, its lines stay
        _log.debug("job %s ended with an error", job.name, exc_info=error)
        return JobResult(job, error=error)
