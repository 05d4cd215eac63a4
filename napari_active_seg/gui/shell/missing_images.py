"""Looks whether the image files of the open project are where they should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_active_seg.gui.shell.background_task import BackgroundTask

if TYPE_CHECKING:
    from napari_active_seg.gui.shell.context import DockContext
    from napari_active_seg.session import Session

__all__ = ["MissingImages"]


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
