"""The other end of a ``ProcessRunner``: receives jobs from a connection, runs them, and reports.

Started as ``python -m napari_active_seg.jobs.worker_process ADDRESS`` with the line's key on stdin.
"""

from __future__ import annotations

import contextlib
import copy
import os
import queue
import sys
import threading
import traceback
from multiprocessing.connection import Client, Connection
from typing import Any

from psygnal import Signal

from napari_active_seg.jobs.job import CancelToken, Job, JobKind, Progress, Work
from napari_active_seg.jobs.runner import JobResult, execute

__all__ = ["main"]

_Item = tuple[JobKind, Work[Any]]


class _Reports:
    """Sends progress to the connection."""

    progressed = Signal(Progress)


def main(address: str, key: bytes) -> None:
    """Run the jobs of the connection until it is closed."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # the window comes first
    line = Client(address, authkey=key)
    work: queue.Queue[_Item | None] = queue.Queue()
    current = [CancelToken()]
    threading.Thread(target=_listen, args=(line, work, current), daemon=True).start()
    reports = _Reports()
    reports.progressed.connect(
        lambda p: line.send(("progress", p.done, p.total, p.text, p.loss, p.held_out))
    )
    while (item := work.get()) is not None:
        kind, do = item
        finished = execute(Job(kind, 0, do), current[0], reports.progressed)
        _answer(line, finished)


def _listen(line: Connection, work: queue.Queue[_Item | None], current: list[CancelToken]) -> None:
    while True:
        try:
            kind, *content = line.recv()
        except (EOFError, OSError):
            os._exit(0)  # the window is gone; nobody wants the rest
        if kind == "run":
            current[0] = CancelToken()
            work.put((content[0], content[1]))
        elif kind == "cancel":
            current[0].cancel()
        else:
            current[0].cancel()
            work.put(None)
            return


def _answer(line: Connection, finished: JobResult[Any]) -> None:
    """Send a result or an error; an error that cannot travel goes as its words."""
    error = finished.error
    if error is None:
        line.send(("done", finished.result))
        return
    trace = "".join(traceback.format_exception(error))
    error.add_note(trace)
    try:
        copy.copy(error)  # as the other end will rebuild it
        line.send(("failed", error))
    except Exception:  # noqa: BLE001 - whatever keeps it from travelling
        words = RuntimeError(f"{type(error).__name__}: {error}")
        words.add_note(trace)
        line.send(("failed", words))


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer.read())
