"""A runner whose work is done in another process, under the interface of all runners.

The other process lives from the first job that may leave until ``close``, so that what is slow to
load is loaded once. It is not forked: a window's process has threads and a display that do not
survive that. Jobs that may not leave are done in a thread here. Where the other process dies, its
job ends with an error and the next job gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TypeVar

from napari_active_seg.errors import ActiveSegError
from napari_active_seg.jobs.job import CancelToken, Job, Progress
from napari_active_seg.jobs.runner import JobResult, ThreadRunner

__all__ = ["ProcessRunner", "WorkerLostError"]

T = TypeVar("T")
#: How often a job in the worker process is checked for a request to stop.
_POLL_S = 0.05
_STARTS_WITHIN_S = 60.0


class WorkerLostError(ActiveSegError):
    """The process that did the work is gone."""


class ProcessRunner(ThreadRunner):
    """Runs jobs one after the other, those that may leave in a process of their own."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None
        super().__init__()

    @property
    def process_id(self) -> int | None:
        """Number of the other process; None while there is none."""
        return None if self._worker is None else self._worker.process.pid

    def free_memory(self) -> None:
        """End the other process where nothing runs; the next job gets a new one."""
        with self._idle:
            if self._open_jobs == 0:
                self._let_go()

    def close(self) -> None:
        """Cancel everything, and return when thread and process have ended."""
        super().close()
        self._let_go()

    def _run(self, job: Job[T], token: CancelToken) -> JobResult[T]:
        if not job.picklable:
            return super()._run(job, token)
        try:
            token.check()
            if self._worker is None:
                self._worker = _Worker()
            return self._worker.run(job, token, self.progressed.emit)
        except (EOFError, OSError) as error:
            code = None if self._worker is None else self._worker.end()
            self._worker = None
            lost = WorkerLostError(
                f"the process that was {job.kind.title} has ended ({_why(code)}); what was in use "
                "before stays in use. Close other programs, or use smaller images or batches"
            )
            lost.__cause__ = error
            return JobResult(job, error=lost)
        except Exception as error:  # noqa: BLE001 - returned in the result, as in a thread
            return JobResult(job, error=error)

    def _let_go(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None


class _Worker:
    """The other process and the line to it."""

    def __init__(self) -> None:
        key = secrets.token_bytes(32)
        self._folder = tempfile.TemporaryDirectory(prefix="active-seg-")
        address = None if os.name == "nt" else str(Path(self._folder.name) / "line")
        with Listener(address, authkey=key) as listener:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "napari_active_seg.jobs.worker_process",
                    str(listener.address),
                ],
                stdin=subprocess.PIPE,
            )
            if self.process.stdin is not None:
                self.process.stdin.write(key)
                self.process.stdin.close()
            self._line: Connection = _accept(listener, self.process)

    def run(
        self, job: Job[T], token: CancelToken, on_progress: Callable[[Progress], None]
    ) -> JobResult[T]:
        """Send the work over and return how it ended."""
        self._line.send(("run", job.kind, job.work))
        is_cancelled = False
        while True:
            if token.cancelled and not is_cancelled:
                is_cancelled = True
                self._line.send(("cancel",))
            if not self._line.poll(_POLL_S):
                continue
            kind, *content = self._line.recv()
            if kind == "progress":
                on_progress(Progress(job.kind, *content))
            elif kind == "done":
                return JobResult(job, result=content[0])
            elif kind == "failed":
                return JobResult(job, error=content[0])

    def end(self) -> int | None:
        """End the process, gently where it listens, and return its exit code."""
        with contextlib.suppress(OSError):
            self._line.send(("close",))
            self._line.close()
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._folder.cleanup()
        return code


def _accept(listener: Listener, process: subprocess.Popen[bytes]) -> Connection:
    """Return the line to ``process``; OSError if it never calls."""
    found: list[Connection] = []

    def wait() -> None:
        with contextlib.suppress(OSError, EOFError):
            found.append(listener.accept())

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(_STARTS_WITHIN_S)
    if not found:
        process.kill()
        raise OSError("the other process did not start")
    return found[0]


def _why(code: int | None) -> str:
    if code is None:
        return "it could not be started"
    if code == -9:
        return "it was killed, most likely because memory ran out"
    return f"exit code {code}"
