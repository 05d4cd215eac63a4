"""What all panels share: the viewer, the open session, and one way to run a verb."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TypeVar

from napari.components import ViewerModel
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_active_seg.errors import (
    ActiveSegError,
    ProjectHeldError,
    ProjectNotWritableError,
    RemedyId,
    StoppedError,
)
from napari_active_seg.gui.shell.backend import Backend
from napari_active_seg.gui.shell.background_task import BackgroundTask
from napari_active_seg.gui.shell.dialogs import Held, ask_held
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.gui.shell.opening import ProjectOpener
from napari_active_seg.gui.shell.preferences import PreferencesFile
from napari_active_seg.images import absolute_path
from napari_active_seg.jobs import JobKind
from napari_active_seg.session import Session

__all__ = ["DockContext", "MissingImages", "action_name"]

T = TypeVar("T")
#: What an error of the saver belongs to.
_SAVING = "saving"

_log = logging.getLogger(__name__)


class MissingImages:
    """Checks in a background thread, since a network drive may take its time."""

    def __init__(self, context: DockContext) -> None:
        self._context = context
        self._checked: Session | None = None
        self._task = BackgroundTask(self._fail)

    def check(self, then: Callable[[], None] = lambda: None) -> None:
        """Put the missing images into the session's state, and call ``then``."""
        session = self._checked = self._context.session
        if session is None:
            return
        images = session.project.images

        def take(found: object) -> None:
            if session is self._context.session and isinstance(found, tuple):
                session.maintenance.note_missing(found)
                then()

        self._task.run(lambda _progress: images.missing(), take)

    def release(self) -> None:
        """Forget a check that is under way."""
        self._task.forget()

    def _fail(self, error: Exception) -> None:
        if self._checked is self._context.session:  # else its project was closed meanwhile
            self._context.tell(error)


class DockContext:
    """Holds the open session; panels speak to it and never to one another."""

    session_changed = Signal(object)  # Session | None
    failed = Signal(Exception, str)  # the error, and the action that it came from
    resolved = Signal(str)  # an action that failed and has succeeded now; empty for all of them
    opened_at_once = Signal()  # whoever opened the project goes on to work in it
    tab_wanted = Signal(str)  # its title

    def __init__(
        self, viewer: ViewerModel, backend: Backend, preferences: PreferencesFile | None = None
    ) -> None:
        self.viewer = viewer
        self.backend = backend
        self.parent: QWidget | None = None  # of dialogs
        self.preferences = preferences or PreferencesFile()
        self.may_close: Callable[[], bool] = lambda: True  # asks where something would be lost
        self._session: Session | None = None
        self._is_replacing = False
        self._unresolved: set[str] = set()
        self._failed_job: tuple[str, object] = ("", None)
        self.opener = ProjectOpener(self)
        self.missing = MissingImages(self)
        self._handlers: dict[RemedyId, Callable[[], object]] = {}

    @property
    def session(self) -> Session | None:
        """The open session."""
        return self._session

    def open(self, folder: Path) -> bool:
        """Open the project in ``folder`` in place of the open one; return whether it is open now.

        ``opener`` does the same without blocking the window. Where somebody else holds the
        project, the person decides how; where closing the open one would stop a job or lose
        paint, whether.
        """
        if self.is_open(folder):
            return True
        if not self.may_close():
            return False
        try:
            opened = self.backend.open_session(folder)
        except ProjectHeldError as held:
            answer = ask_held(self.parent, held.holder)
            if answer is Held.CANCEL:
                return False
            opened = self.backend.open_session(
                folder,
                read_only=answer is Held.READ_ONLY,
                take_over=answer is Held.TAKE_OVER,
            )
        except ProjectNotWritableError as error:
            opened = self.backend.open_session(folder, read_only=True)
            notify(f"Opened read-only: {error}")
        self.replace(opened)
        self.opened_at_once.emit()
        return True

    def replace(self, opened: Session) -> None:
        """Put a session that was just opened in place of the current one."""
        self._unresolved.clear()
        self.resolved.emit("")
        self._is_replacing = True
        try:
            self.close()
        finally:
            self._is_replacing = False
        self._session = opened
        self.sign_in()
        opened.job_ended.connect(self._on_job_ended)
        opened.failed.connect(self._on_session_failed)
        opened.labels.saver.saved.connect(self._on_saved, thread="main")
        self.session_changed.emit(opened)

    def is_open(self, folder: Path) -> bool:
        """Return whether the project in ``folder`` is open for writing already."""
        session = self._session
        if session is None or session.state.read_only:
            return False
        return session.project.folder == absolute_path(folder)

    @property
    def is_replacing(self) -> bool:
        """Whether another project follows at once on the one that is being closed."""
        return self._is_replacing

    def sign_in(self) -> None:
        """Label under the name of the person at this machine, where they have given one."""
        session, name = self._session, self.preferences.now.name
        if session is None or not name or session.state.read_only:
            return
        if session.project.config.annotator != name:
            session.maintenance.configure(annotator=name)

    def close(self) -> None:
        """Put the session away, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            self.session_changed.emit(None)
            self.run(session.close)

    def run(self, verb: Callable[[], object], *, action: str = "") -> None:
        """Call ``verb``; an error that carries a remedy becomes a message, once.

        The message goes when the same action succeeds later: ``action``, or the name of ``verb``.
        """
        name = action or action_name(verb)
        if self.attempt(verb, action=name):
            self.resolve(name)

    def attempt(self, verb: Callable[[], object], *, action: str) -> bool:
        """Call ``verb`` and return whether it succeeded; its message stays until ``resolve``."""
        try:
            verb()
        except ActiveSegError as error:
            self.tell(error, action)
            return False
        return True

    def resolve(self, action: str) -> None:
        """Let the message of an action go that has succeeded now."""
        if action in self._unresolved:
            self._unresolved.discard(action)
            self.resolved.emit(action)

    def show_tab(self, title: str) -> None:
        """Bring another tab to the front."""
        self.tab_wanted.emit(title)

    def with_session(self, verb: Callable[[Session], object]) -> Callable[[], None]:
        """Return a slot that calls ``verb`` with the open session, if there is one."""

        def slot() -> None:
            session = self._session
            if session is not None:
                self.run(lambda: verb(session), action=action_name(verb))

        return slot

    def when_done(self, future: Future[T], on_result: Callable[[T], object]) -> None:
        """Call ``on_result`` in the window once a job has ended well; its error is shown anyway."""

        def deliver(done: Future[T]) -> None:
            if not done.cancelled() and done.exception() is None:
                self.run(lambda: on_result(done.result()), action=action_name(on_result))

        future.add_done_callback(deliver)

    def handle_remedy(self, remedy: RemedyId, handler: Callable[[], object]) -> None:
        """Call ``handler`` where the person chooses a remedy of an error."""
        self._handlers[remedy] = handler

    def find_remedies(self, error: Exception) -> list[tuple[str, Callable[[], object]]]:
        """Return the remedies of an error that the window can apply: text and handler of each."""
        carried = error.remedies if isinstance(error, ActiveSegError) else ()
        return [(r.label, self._handlers[r.id]) for r in carried if r.id in self._handlers]

    def tell(self, error: Exception, action: str = "") -> None:
        """Tell the person of an error of an action, once; the dock shows it."""
        if action:
            self._unresolved.add(action)
        self.failed.emit(error, action)
        if isinstance(error, StoppedError):
            notify(str(error))
        else:
            _log.error("%s", error, exc_info=None if isinstance(error, ActiveSegError) else error)

    def _on_job_ended(self, kind: JobKind, error: object) -> None:
        self._failed_job = (f"job {kind.name}", error)
        if error is None:
            self.resolve(f"job {kind.name}")

    def _on_session_failed(self, error: Exception) -> None:
        """Tell of an error of a job, or of the saver."""
        job, of_job = self._failed_job
        self.tell(error, job if error is of_job else _SAVING)

    def _on_saved(self, _saved: object) -> None:
        self.resolve(_SAVING)


def action_name(verb: Callable[..., object]) -> str:
    """Return what tells one action from another: the name of the code that is run."""
    code = verb.func if isinstance(verb, partial) else verb
    return f"{code.__module__}.{getattr(code, '__qualname__', type(code).__qualname__)}"
