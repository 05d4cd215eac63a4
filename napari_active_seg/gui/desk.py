"""What all panels share: the viewer, the open session, and one way to run a verb."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from napari.components import ViewerModel
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_active_seg.click_helper import ClickHelper
from napari_active_seg.errors import (
    ActiveSegError,
    ProjectHeldError,
    ProjectNotWritableError,
    StoppedError,
)
from napari_active_seg.gui.notifications import tell_info
from napari_active_seg.gui.preferences import PreferencesFile
from napari_active_seg.gui.questions import Held, ask_held
from napari_active_seg.session import Session
from napari_active_seg.session.creation import CreatedProject, FolderLook, ImageSettings

__all__ = ["Desk", "Tools"]

_log = logging.getLogger(__name__)


class Tools(Protocol):
    """What the composition root lends the desktop."""

    def open_session(
        self, folder: Path, *, read_only: bool = False, take_over: bool = False
    ) -> Session:
        """Return a session that works in the background."""

    def create_project(
        self,
        folder: Path,
        *,
        images_dir: Path,
        classes: list[str],
        masks_dir: Path | None,
        find_masks: bool = True,
        settings: ImageSettings | None = None,
        on_file: Callable[[int, int], None] | None = None,
    ) -> CreatedProject:
        """Make a project."""

    def look_at_folder(
        self, folder: Path, *, on_file: Callable[[int, int], None] | None = None
    ) -> FolderLook:
        """Say what is in a folder of images."""

    def write_sample_project(
        self, name: str, folder: Path, *, on_image: Callable[[int, int], None] | None = None
    ) -> Path:
        """Make a project of drawn pictures in ``folder`` and return where it is."""

    def load_click_helper(self, place: str) -> ClickHelper:
        """Return the helper of a folder, or the registered one of a name."""

    @property
    def preset_names(self) -> tuple[str, ...]:
        """Names of the networks that can be trained."""


class Desk:
    """Holds the open session; panels speak to it and never to one another."""

    session_changed = Signal(object)  # Session | None
    failed = Signal(Exception)
    tab_wanted = Signal(str)  # its title

    def __init__(
        self, viewer: ViewerModel, tools: Tools, preferences: PreferencesFile | None = None
    ) -> None:
        self.viewer = viewer
        self.tools = tools
        self.parent: QWidget | None = None  # of dialogs
        self.preferences = preferences or PreferencesFile()
        self._session: Session | None = None

    @property
    def session(self) -> Session | None:
        """The open session."""
        return self._session

    def open(self, folder: Path) -> None:
        """Open the project in ``folder`` in place of what is open.

        Where somebody else holds it, the person decides how.
        """
        try:
            opened = self.tools.open_session(folder)
        except ProjectHeldError as held:
            answer = ask_held(self.parent, held.holder)
            if answer is Held.CANCEL:
                return
            opened = self.tools.open_session(
                folder,
                read_only=answer is Held.READ_ONLY,
                take_over=answer is Held.TAKE_OVER,
            )
        except ProjectNotWritableError as error:
            opened = self.tools.open_session(folder, read_only=True)
            tell_info(f"Opened read-only: {error}")
        self.close()
        self._session = opened
        self.sign_in()
        opened.failed.connect(self.tell)
        self.session_changed.emit(opened)

    def sign_in(self) -> None:
        """Label under the name of the person at this machine, where they have given one."""
        session, name = self._session, self.preferences.now.name
        if session is None or not name or session.state.read_only:
            return
        if session.project.config.annotator != name:
            session.upkeep.configure(annotator=name)

    def close(self) -> None:
        """Put the session away, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            self.session_changed.emit(None)
            self.run(session.close)

    def run(self, verb: Callable[[], object]) -> None:
        """Call ``verb``; an error that carries a remedy becomes a message, once."""
        try:
            verb()
        except ActiveSegError as error:
            self.tell(error)

    def show_tab(self, title: str) -> None:
        """Bring another tab to the front."""
        self.tab_wanted.emit(title)

    def with_session(self, verb: Callable[[Session], object]) -> Callable[[], None]:
        """Return a slot that calls ``verb`` with the open session, if there is one."""

        def slot() -> None:
            session = self._session
            if session is not None:
                self.run(lambda: verb(session))

        return slot

    def tell(self, error: Exception) -> None:
        """Tell the person of an error, once; the dock shows it."""
        self.failed.emit(error)
        if isinstance(error, StoppedError):
            tell_info(str(error))
        else:
            _log.error("%s", error, exc_info=None if isinstance(error, ActiveSegError) else error)
