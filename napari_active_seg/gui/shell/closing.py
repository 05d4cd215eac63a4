"""Closing the window or the dock: ask once, release the project, and open it again later.

napari closes in several ways, and only some of them can be declined:

- *The window's close button*: the window gets a spontaneous close event. Where we ask, napari must
  not ask again, so the window is closed by the program afterwards.
- *File > Close Window* and *File > Exit*: napari shows its own dialog before the close event. What
  runs is added to its text, and we do not ask again.
- ``viewer.close()``: the canvas is gone before the window gets the close event. Nothing can be
  declined any more.
- *The close button of the dock*: napari takes the dock out of the window without any event that
  could be declined. Where the person decides to stay, the dock is put back.

napari's own list of running tasks is not used: plugins have no public way to it, it is read in the
first of these ways only, and there napari asks a second time about its layers.
"""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QDialog, QDockWidget, QLabel, QMainWindow, QWidget

from napari_active_seg.gui.annotate.unsaved_layers import UnsavedLayers
from napari_active_seg.gui.shell.dialogs import (
    ask_close_running,
    ask_close_unsaved,
    closing_stops,
    running_job,
)
from napari_active_seg.session import Session

if TYPE_CHECKING:
    from napari_active_seg.gui.shell.dock import Dock

__all__ = ["ClosingGuard", "Consent", "ask_to_close"]

#: The name by which another dock of ours is found in the same window.
_DOCK_NAME = "napari-active-seg-dock"
#: The property of a window that holds the project to open again.
_PROJECT_PROPERTY = "napari_active_seg_project"
_NAPARI_DIALOG = "ConfirmCloseDialog"


class Consent(Enum):
    """Whether something may be closed."""

    NOT_NEEDED = auto()  #: nothing would be lost; nobody was asked
    GIVEN = auto()
    REFUSED = auto()


def ask_to_close(
    session: Session, parent: QWidget, *, knows_of_jobs: bool = False, can_stay: bool = True
) -> Consent:
    """Save all labels, and ask where closing would stop a job or lose paint.

    Where the window closes in any case (``can_stay`` is False), nothing is asked about jobs, and
    saving is tried again until it succeeds or the person gives the paint up.
    """
    consent = Consent.NOT_NEEDED
    job = running_job(session.state.jobs)
    if job is not None and can_stay and not knows_of_jobs:
        if not ask_close_running(parent, job):
            return Consent.REFUSED
        consent = Consent.GIVEN
    while True:
        try:
            session.labels.flush()
        except Exception as error:  # noqa: BLE001 - whatever keeps the paint from the disk
            if ask_close_unsaved(parent, str(error)):
                return Consent.GIVEN
            if can_stay:
                return Consent.REFUSED
        else:
            return consent


class ClosingGuard(QObject):  # type: ignore[misc]
    """Watches a dock and the window it is in."""

    def __init__(self, dock: Dock, viewer: ViewerModel, unsaved: UnsavedLayers) -> None:
        super().__init__(dock)
        self._dock, self._viewer, self._unsaved = dock, viewer, unsaved
        self._window: QMainWindow | None = None
        self._name = ""
        self._has_consent = self._knows_of_jobs = False
        self._closes = self._is_released = self._is_asking = False
        dock.setObjectName(_DOCK_NAME)
        dock.installEventFilter(self)

    @property
    def window(self) -> QWidget:
        """The main window that the dock is or was in; also while the dock floats."""
        return self._window or self._dock.window()

    def release(self) -> None:
        """Watch no longer, and remember the project for the next dock in this window."""
        self._is_released = True
        self._dock.removeEventFilter(self)
        self._dock.setObjectName("")
        session = self._dock.context.session
        if self._window is not None:
            self._window.removeEventFilter(self)
            if session is not None:
                self._window.setProperty(_PROJECT_PROPERTY, str(session.project.folder))
            self._window = None

    def ask_to_close(
        self, *, knows_of_jobs: bool = False, can_stay: bool = True, closes_window: bool = False
    ) -> Consent:
        """Save everything; where a job would be stopped or paint be lost, the person decides.

        ``knows_of_jobs`` says that the person has agreed to stop jobs already, ``can_stay`` that
        closing can be declined, ``closes_window`` that all layers go too.
        """
        consent = Consent.NOT_NEEDED
        if closes_window and self._unsaved.names:
            if not ask_close_unsaved(self.window, self._unsaved.where):
                return Consent.REFUSED
            consent = Consent.GIVEN
        session, painter = self._dock.context.session, self._dock.painter
        if session is None or painter is None:
            return consent
        painter.offer()
        asked = ask_to_close(session, self.window, knows_of_jobs=knows_of_jobs, can_stay=can_stay)
        return consent if asked is Consent.NOT_NEEDED else asked

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Follow the dock from window to window, and the window until it is closed."""
        kind = event.type()
        if watched is self._dock:
            if kind in (QEvent.Type.ParentChange, QEvent.Type.Show):
                QTimer.singleShot(0, self._on_moved)
        elif kind == QEvent.Type.Close:
            return self._on_close(event)
        elif kind == QEvent.Type.WindowActivate:
            self._on_activated()
        elif kind == QEvent.Type.ChildPolished:
            self._extend_dialog(event.child())
        elif kind == QEvent.Type.Hide and self._closes and not event.spontaneous():
            self._dock.release(window_closes=True)
        return False

    # --- the dock ----------------------------------------------------------------------------

    def _on_moved(self) -> None:
        """Learn which window the dock is in now, or that it was taken out of it."""
        if self._is_released:
            return
        parent = self._dock.parentWidget()
        if parent is None:
            if self._window is not None:
                self._on_removed()
            return
        if isinstance(parent, QDockWidget):
            self._name = parent.objectName()
        window = _main_window_of(parent)
        if window is not None and window is not self._window:
            self._window = window
            window.installEventFilter(self)
            self._enter(window)

    def _enter(self, window: QMainWindow) -> None:
        """Give way to a dock that is there already, or open the project of the one before."""
        docks = window.findChildren(QWidget, _DOCK_NAME)
        other = next((dock for dock in docks if dock is not self._dock), None)
        if other is not None:
            parent = other.parentWidget()
            parent.show()
            parent.raise_()
            self._viewer.window.remove_dock_widget(self._dock)
            return
        folder, context = window.property(_PROJECT_PROPERTY), self._dock.context
        if folder and context.session is None:
            window.setProperty(_PROJECT_PROPERTY, "")
            context.opener.open(Path(folder))

    def _on_removed(self) -> None:
        """Release the project of a dock that was closed, or put the dock back."""
        if self._is_asking:  # the dialog lets other events through
            return
        self._is_asking = True
        try:
            consent = self.ask_to_close()
        finally:
            self._is_asking = False
        if consent is Consent.REFUSED:
            self._viewer.window.add_dock_widget(self._dock, name=self._name)
            self._dock.show()  # a widget without a parent is hidden
            return
        self._dock.release()
        self._dock.deleteLater()

    # --- the window --------------------------------------------------------------------------

    def _on_activated(self) -> None:
        """Find out whether somebody else has taken the project over meanwhile."""
        session = self._dock.context.session
        if session is not None:
            session.project.database.check_writer()

    def _on_close(self, event: QCloseEvent) -> bool:
        """Return whether the close event ends here."""
        window = self._window
        if window is None:
            return False
        consent = Consent.NOT_NEEDED
        if not self._has_consent:
            consent = self.ask_to_close(
                knows_of_jobs=self._knows_of_jobs,
                can_stay=_has_content(window),
                closes_window=True,
            )
        self._has_consent = self._knows_of_jobs = False
        if consent is Consent.REFUSED:
            event.ignore()
            return True
        if consent is Consent.GIVEN and event.spontaneous():
            self._has_consent = True
            QTimer.singleShot(0, window.close)  # napari asks only the spontaneous way
            event.ignore()
            return True
        self._closes = True
        if not window.isVisible():  # there will be no event that it is hidden
            self._dock.release(window_closes=True)
        return False

    def _extend_dialog(self, child: QObject) -> None:
        """Add to napari's question whether to close what closing would stop."""
        if not isinstance(child, QDialog) or type(child).__name__ != _NAPARI_DIALOG:
            return
        session = self._dock.context.session
        job = None if session is None else running_job(session.state.jobs)
        label = next((label for label in child.findChildren(QLabel) if label.text()), None)
        if job is not None and label is not None:
            label.setText("\n\n".join([label.text(), *closing_stops(job)]))
            child.accepted.connect(self._on_napari_asked)

    def _on_napari_asked(self) -> None:
        self._knows_of_jobs = True


def _main_window_of(widget: QWidget) -> QMainWindow | None:
    """Return the main window around a widget, also where its dock floats."""
    parent: QWidget | None = widget
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parentWidget()
    return parent


def _has_content(window: QMainWindow) -> bool:
    """Return whether the canvas is there still: ``viewer.close()`` closes it before the window."""
    central = window.centralWidget()
    if central is None:
        return False
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    return any(not child.isHidden() for child in central.findChildren(QWidget, options=direct))
