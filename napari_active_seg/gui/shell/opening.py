"""Opens projects in the background while the window stays responsive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_active_seg.errors import ProjectHeldError, ProjectNotWritableError
from napari_active_seg.gui.shell.background_imports import finish_imports
from napari_active_seg.session import Session

if TYPE_CHECKING:
    from napari_active_seg.gui.shell.context import DockContext

__all__ = ["ProjectOpener"]

#: How often the opener looks whether the jobs of the project before have stopped.
_LOOK_EVERY_MS = 30

Announce = Callable[[str], None]


class ProjectOpener:
    """Reads a project in a thread and hands its session to the context on the main thread.

    ``announced`` carries one line about what is under way, empty when nothing is. A newer request
    replaces an older one.
    """

    announced = Signal(str)
    _progressed = Signal(int, str)  # the number of the request, what it is doing
    _ended = Signal(object)  # what to call on the main thread

    def __init__(self, context: DockContext) -> None:
        self._context = context
        self._number = 0
        self._waiting: Session | None = None  # opened, while jobs of the one before still stop
        self._then: Callable[[Session], object] | None = None
        self._timer = QTimer()
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self._replace_when_idle)
        self._progressed.connect(self._announce, thread="main")
        self._ended.connect(self._call, thread="main")

    def open(self, folder: Path, then: Callable[[Session], object] | None = None) -> None:
        """Open the project in ``folder`` in place of what is open, and call ``then`` with it."""
        if self._context.is_open(folder):
            return
        self._begin(f"Opening {folder.name}...", lambda _announce: folder)
        self._then = then

    def open_sample(self, name: str, folder: Path) -> None:
        """Write the sample project of a name below ``folder`` and open it."""

        def write(announce: Announce) -> Path:
            def count(number: int, total: int) -> None:
                announce(f"Making sample image {number} of {total}...")

            return self._context.backend.write_sample_project(name, folder, on_image=count)

        self._begin("Making the sample project...", write)

    def release(self) -> None:
        """Close whatever is still on its way."""
        self._number += 1
        self._drop_waiting()

    def _begin(self, text: str, find: Callable[[Announce], Path]) -> None:
        self._number += 1
        number = self._number
        self._drop_waiting()
        self._then = None
        self.announced.emit(text)

        def work() -> None:
            folder: Path | None = None
            try:
                finish_imports()
                folder = find(lambda line: self._progressed.emit(number, line))
                session = self._context.backend.open_session(folder)
            except Exception as error:  # noqa: BLE001 - carried to the main thread, which shows it
                self._ended.emit(partial(self._fail, number, folder, error))
            else:
                self._ended.emit(partial(self._take, number, session))

        threading.Thread(target=work, name="active-seg-open", daemon=True).start()

    def _announce(self, number: int, line: str) -> None:
        if number == self._number:
            self.announced.emit(line)

    def _call(self, ending: Callable[[], None]) -> None:
        ending()

    def _fail(self, number: int, folder: Path | None, error: Exception) -> None:
        if number != self._number:
            return
        self.announced.emit("")
        if folder is not None and isinstance(error, ProjectHeldError | ProjectNotWritableError):
            self._context.run(partial(self._context.open, folder))  # which asks the person how
        else:
            self._context.tell(error)

    def _take(self, number: int, session: Session) -> None:
        if number != self._number:
            session.close()
            return
        if not self._context.may_close():
            session.close()
            self.announced.emit("")
            return
        self._waiting = session
        before = self._context.session
        if before is not None and before.state.jobs:
            self.announced.emit(f"Stopping {before.state.jobs[0].title}...")
            before.cancel()
            self._timer.start()
        else:
            self._replace()

    def _replace_when_idle(self) -> None:
        before = self._context.session
        if before is None or not before.state.jobs:
            self._replace()

    def _replace(self) -> None:
        self._timer.stop()
        session, self._waiting = self._waiting, None
        then, self._then = self._then, None
        self.announced.emit("")
        if session is not None:
            self._context.run(partial(self._context.replace, session))
            if then is not None:
                self._context.run(partial(then, session))

    def _drop_waiting(self) -> None:
        self._timer.stop()
        session, self._waiting = self._waiting, None
        if session is not None:
            session.close()
