"""Work outside any project in a thread, such as reading a folder, with progress."""

from __future__ import annotations

import threading
from collections.abc import Callable

from psygnal import Signal

from napari_active_seg.gui.shell.loading import short_turns

__all__ = ["BackgroundTask"]

Tell = Callable[[int, int], None]


class BackgroundTask:
    """Runs one piece of work in a thread of its own; what comes back comes to the main thread."""

    progressed = Signal(int, int)
    _done = Signal(object, object)  # what was to be called, with what

    def __init__(self, on_failed: Callable[[Exception], None]) -> None:
        self._on_failed = on_failed
        self._thread: threading.Thread | None = None
        self._number = 0
        self._done.connect(lambda whom, result: self._deliver(whom, result), thread="main")

    @property
    def is_running(self) -> bool:
        """Whether there is an answer to wait for."""
        return self._thread is not None

    def run(self, work: Callable[[Tell], object], on_done: Callable[[object], None]) -> None:
        """Do ``work`` and hand its result to ``on_done``; what was asked before is forgotten."""
        self._number += 1
        number = self._number

        def go() -> None:
            try:
                with short_turns():
                    result = work(self.progressed.emit)
            except Exception as error:  # noqa: BLE001 - carried to the window, which tells it
                self._done.emit((number, self._on_failed), error)
            else:
                self._done.emit((number, on_done), result)

        self._thread = threading.Thread(target=go, name="active-seg-task", daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Let whatever still comes back be forgotten."""
        self._number += 1
        self._thread = None

    def _deliver(self, whom: tuple[int, Callable[[object], None]], result: object) -> None:
        number, call = whom
        if number == self._number:
            self._thread = None
            call(result)
