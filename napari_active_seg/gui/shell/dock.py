"""The dock: six tabs in the order of the work, a line that says where we are, a stop button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from psygnal.qt import start_emitting_from_queue
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_active_seg.errors import ImageError, ProjectTakenOverError, StoppedError
from napari_active_seg.gui.annotate.region_painter import RegionPainter
from napari_active_seg.gui.annotate.shortcuts import KeyBook, bind_keys, unbind_keys
from napari_active_seg.gui.annotate.unsaved_layers import UnsavedLayers
from napari_active_seg.gui.canvas.overlays import CanvasExtras, hold_drawn
from napari_active_seg.gui.layers.metadata_keys import PROJECT_KEY
from napari_active_seg.gui.layers.registry import LayerRegistry
from napari_active_seg.gui.layers.sync import LayerBinder
from napari_active_seg.gui.panels import PANELS, AnnotateActions, Panel, ProjectPanel
from napari_active_seg.gui.panels.fixed_label import FixedLabel
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.annotator_prompt import NameBar
from napari_active_seg.gui.shell.backend import Backend
from napari_active_seg.gui.shell.background_imports import start_imports
from napari_active_seg.gui.shell.closing import ClosingGuard, Consent
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.gui.shell.drag_drop import dropped_folder, project_in
from napari_active_seg.gui.shell.error_bar import MessageBar
from napari_active_seg.gui.shell.ipykernel_yield import give_cells_turns
from napari_active_seg.gui.shell.preferences import Preferences, PreferencesFile
from napari_active_seg.jobs import Progress
from napari_active_seg.session import Session, SessionState, ViewState, resolve_view
from napari_active_seg.session.state import Content

__all__ = ["Dock"]

#: Why there is nothing to stop.
_IDLE = "Nothing is running"
#: What an error of an image that cannot be shown belongs to; it goes when another one is shown.
_SHOWING = "showing an image"
#: Time for events between two tabs whose widgets are made.
_BUILD_EVERY_MS = 20


class Dock(QWidget):  # type: ignore[misc]
    """The plugin's widget."""

    def __init__(
        self, viewer: ViewerModel, backend: Backend, preferences: PreferencesFile | None = None
    ) -> None:
        super().__init__()
        start_emitting_from_queue(msec=15)
        give_cells_turns()
        start_imports()
        self.context = DockContext(viewer, backend, preferences)
        self.context.parent = self
        self.setAcceptDrops(True)
        self.annotate = AnnotateActions(self.context)
        self._viewer = viewer
        self._binder: LayerBinder | None = None
        self._painter: RegionPainter | None = None
        self._shown: SessionState | None = None
        self._extras: CanvasExtras | None = None
        self._bound: list[tuple[Any, list[str]]] = []
        self._registry = LayerRegistry(viewer)
        self._bound_for: object = None
        self._stale: set[int] = set()
        self._released = False
        self._save_error: Exception | None = None
        self._opening = ""
        self._panels: list[Panel] = [make(self.context, self.annotate) for make in PANELS]
        self._panels[0].ensure_built()
        self._build()
        self._unsaved = UnsavedLayers(viewer)
        self._guard = ClosingGuard(self, viewer, self._unsaved)
        self.context.may_close = lambda: self._guard.ask_to_close() is not Consent.REFUSED
        self._build_soon = QTimer()  # without a parent: it must outlive the window to be stopped
        self._build_soon.timeout.connect(self._build_next_panel)
        self._build_soon.start(_BUILD_EVERY_MS)
        self.context.session_changed.connect(self._on_session)
        self.context.failed.connect(self._on_failed)
        self.context.resolved.connect(self.message.resolve)
        self.context.opened_at_once.connect(self._finish_opening)
        self.context.tab_wanted.connect(self._show_tab)
        self.context.opener.announced.connect(self._on_opening)
        self.context.preferences.changed.connect(self._prefer)
        viewer.layers.events.inserted.connect(self._on_layer)
        QApplication.instance().aboutToQuit.connect(self.release)
        for layer in tuple(viewer.layers):
            self._open_project_of(layer)
        if self.context.session is None:
            self._render_without_session()

    @property
    def painter(self) -> RegionPainter | None:
        """What paints in the current region, while a project is open."""
        return self._painter

    # --- layout ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.tabs = QTabWidget()
        for panel in self._panels:
            scroll = QScrollArea()
            scroll.setWidgetResizable(True)
            scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            scroll.setFrameShape(QScrollArea.Shape.NoFrame)
            scroll.setWidget(panel)
            self.tabs.addTab(scroll, panel.title)
        self.tabs.tabBar().setUsesScrollButtons(False)
        self.tabs.tabBar().setExpanding(False)
        self.tabs.currentChanged.connect(self._on_tab)
        self.name_bar = NameBar(self.context)
        self.message = MessageBar(self.tabs)
        self.hover = QLabel()
        self.hover.setToolTip("What the model says of the pixel under the mouse")
        self.hover.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.status = FixedLabel(lines=2)
        self.status.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.doing = QLabel()
        self.doing.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.doing.hide()
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(self.context.with_session(Session.cancel))
        busy = QHBoxLayout()
        busy.addWidget(self.hover, 1)
        busy.addWidget(self.bar, 1)
        busy.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.name_bar)
        layout.addWidget(self.status)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.doing)
        layout.addLayout(busy)
        self.setMinimumWidth(360)

    def _build_next_panel(self) -> None:
        """Make the widgets of one more tab, so that all are there when they are wanted."""
        for panel in self._panels:
            if panel.ensure_built():
                if self.context.session is None:
                    panel.render_closed()
                return
        self._build_soon.stop()

    @property
    def _built_panels(self) -> list[Panel]:
        return [panel for panel in self._panels if panel.is_built]

    def _build_all_panels(self) -> None:
        while self._build_soon.isActive():
            self._build_next_panel()

    # --- session -----------------------------------------------------------------------------

    def _on_session(self, session: Session | None) -> None:
        self._put_away()
        if session is None:
            self._render_without_session()
            return
        self._build_all_panels()
        now = self.context.preferences.now
        self._painter = RegionPainter(self._viewer, session, self.context.run)
        self._painter.meter.measures_time = now.measures_time
        self._binder = LayerBinder(
            self._viewer, session, self._painter, now, run=self._draw, registry=self._registry
        )
        self._binder.on_taken = self._on_first_region
        self.annotate.attach(self._painter, self._binder)
        self._extras = CanvasExtras(
            self._viewer,
            self,
            session,
            window=self._guard.window,
            book=self._book,
            say=self.hover.setText,
        )
        if self._extras.colours is not None:
            self._binder.maps.on_map = self._extras.colours.follow
        self._binder.maps.on_preferred = self.context.preferences.change
        session.state_changed.connect(self._on_state)
        session.content_changed.connect(self._on_content)
        session.progressed.connect(self._on_progress)
        self._bind(self._viewer)
        self._on_state(session.state)
        self._show_tab(session.navigation.bookmark.latest.tab)

    def _put_away(self) -> None:
        self.annotate.edit_tissue(False)
        self.annotate.stop_placing()
        if self._painter is not None:
            self._painter.deactivate()
        if self._binder is not None:
            hold_drawn(self._guard.window)
            self._binder.clear(keep=self.context.is_replacing)
            self._unbind()
        if self._extras is not None:
            self._extras.release()
        self.annotate.attach(None, None)
        self._painter, self._binder, self._shown, self._extras = None, None, None, None
        self.hover.setText("")

    def show_keys(self, wanted: bool = True) -> None:
        """Lay the keys over the canvas, or put them away."""
        helped = None if self._extras is None else self._extras.help
        if helped is not None:
            if wanted:
                helped.show_keys()
            else:
                helped.hide()

    # --- keys --------------------------------------------------------------------------------

    def _book(self) -> KeyBook:
        now = self.context.preferences.now
        return KeyBook(now.hand, now.keys)

    def _bind(self, owner: Any) -> None:
        now = self.context.preferences.now
        self._bound_for = (now.hand, now.keys)
        keys = {**self._book().bindings(self.annotate.by_name), **self.annotate.by_class_key}
        self._bound.append((owner, bind_keys(owner, keys)))

    def _bind_paint(self) -> None:
        paint = None if self._painter is None else self._painter.layer
        if paint is not None and all(owner is not paint for owner, _ in self._bound):
            self._bind(paint)

    def _draw(self, draw: Callable[[], object]) -> bool:
        """Draw a layer; that it succeeded says nothing of an error that is shown."""
        return self.context.attempt(draw, action=_SHOWING)

    def _finish_opening(self) -> None:
        if self._binder is not None:
            self._binder.later.finish("region", "frames")

    def _on_first_region(self) -> None:
        self._bind_paint()
        self.annotate.on_tool()

    def _unbind(self) -> None:
        for owner, keys in self._bound:
            unbind_keys(owner, keys)
        self._bound.clear()

    def _prefer(self, now: Preferences) -> None:
        """Take over what the person has just preferred."""
        if self._binder is None or self._painter is None:
            return
        self._painter.meter.measures_time = now.measures_time
        self._binder.prefer(now)
        if (now.hand, now.keys) == self._bound_for:
            return
        owners = [owner for owner, _ in self._bound]
        self._unbind()
        for owner in owners:
            self._bind(owner)

    # --- state -------------------------------------------------------------------------------

    def _on_state(self, state: SessionState, _old: SessionState | None = None) -> None:
        session, binder = self.context.session, self._binder
        if session is None or binder is None:
            return
        view = resolve_view(state)
        if self._save_error is not None and not state.unsaved:
            self.message.hide_error(self._save_error)
            self._save_error = None
        if self._shown is not None and replace(self._shown, unsaved=state.unsaved) == state:
            self._shown = state
            self._on_saving(session, state, view)
            return
        # States may arrive while layers are being changed; the last one drawn is what counts.
        shown, self._shown = self._shown, state
        if state.taken_over_by and (shown is None or not shown.taken_over_by):
            QTimer.singleShot(0, self._on_taken_over)  # after what this state is drawn with
        if shown is not None and shown.image_id != state.image_id:
            self.annotate.edit_tissue(False)
        is_new = shown is None or shown.image_id != state.image_id
        if self.context.attempt(lambda: binder.render(state, shown), action=_SHOWING) and is_new:
            self.context.resolve(_SHOWING)
        self._bind_paint()
        if self._extras is not None:
            self._extras.render(state)
        self._show_status(view, state)
        allow(self.stop, "" if view.can_cancel else _IDLE)
        self.bar.setVisible(view.can_cancel)  # the pixel under the mouse has its place meanwhile
        self.hover.setVisible(not view.can_cancel)
        if state.job is None:
            self.bar.setRange(0, 1)
            self.bar.setValue(0)
            self.bar.setFormat("")
            self.doing.hide()
        self._stale = set(range(len(self._panels)))
        self._render_tab(session, view)

    def _on_content(self, content: Content) -> None:
        """Draw what is stored and the state only refers to."""
        session, binder = self.context.session, self._binder
        if session is None or binder is None:
            return
        self.context.attempt(lambda: binder.redraw(content), action=_SHOWING)
        if self._extras is not None:
            self._extras.render(session.state)
        for panel in self._panels:
            if panel.is_built:
                panel.render_content(session, content)
        self._stale = set(range(len(self._panels)))
        self._render_tab(session, resolve_view(session.state))

    def _render_tab(self, session: Session, view: ViewState) -> None:
        """Draw the tab that is seen; the others are drawn when they are."""
        index = self.tabs.currentIndex()
        if index in self._stale:
            self._stale.discard(index)
            self._panels[index].render_state(session, view)

    def _on_tab(self, index: int) -> None:
        self._build_all_panels()
        session = self.context.session
        if session is not None and self._binder is not None:
            session.navigation.bookmark.keep(tab=self._panels[index].title)
            self._render_tab(session, resolve_view(session.state))

    def _show_tab(self, title: str) -> None:
        titles = [panel.title for panel in self._panels]
        if title in titles:
            self.tabs.setCurrentIndex(titles.index(title))

    def _on_failed(self, error: Exception, action: str = "") -> None:
        if isinstance(error, StoppedError):
            return
        session = self.context.session
        if session is not None and session.state.unsaved:
            self._save_error = error
        remedies = self.context.find_remedies(error)
        self.message.show_error(self._unsaved.explain(error), action, remedies)
        if isinstance(error, ImageError):
            self.context.missing.check(self._offer_to_find)

    def _offer_to_find(self) -> None:
        session = self.context.session
        if session is not None and session.state.missing and not session.state.read_only:
            self.message.offer("Find missing images...", self._find_missing)

    def _find_missing(self) -> None:
        self._show_tab("Project")
        panel = self._panels[0]
        if isinstance(panel, ProjectPanel):
            panel.care_box.find_missing()

    def _on_taken_over(self) -> None:
        """Let nobody paint any more, and keep what is painted but not saved on the screen."""
        session, painter = self.context.session, self._painter
        if session is None or painter is None:
            return
        painter.offer()
        painter.lock()
        session.cancel()
        session.navigation.bookmark.stop_writing()
        self._unsaved.keep(session)
        by = session.state.taken_over_by
        self._on_failed(ProjectTakenOverError(f"{by} has taken over this project", by=by))

    def _on_saving(self, session: Session, state: SessionState, view: ViewState) -> None:
        """Show whether all is on the disk; nothing else changed since the last stroke."""
        self._show_status(view, state)
        if not state.unsaved:
            self._panels[self.tabs.currentIndex()].render_saved(session)

    def _show_status(self, view: ViewState, state: SessionState) -> None:
        if not self._opening:  # which says more until it is done
            self.status.setText(view.status + (" Saving..." if state.unsaved else ""))

    def _on_opening(self, line: str) -> None:
        """Show what is being opened, and the usual line again afterwards."""
        self._opening = line
        session = self.context.session
        if line:
            self.status.setText(line)
        elif session is None:
            self._render_without_session()
        else:
            self._show_status(resolve_view(session.state), session.state)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, max(progress.total, 1))
        self.bar.setValue(progress.done)
        self.bar.setFormat(f"{progress.job.title} %p %")
        self.doing.setText(progress.text)
        self.doing.setToolTip(progress.text)
        for panel in self._panels:
            panel.render_progress(progress)
        self.doing.setVisible(bool(progress.text) and self.stop.isEnabled())

    def _render_without_session(self) -> None:
        self.status.setText("Open a project, or make one from a folder of images")
        allow(self.stop, _IDLE)
        self.bar.hide()
        self.hover.show()
        self._stale.clear()
        for panel in self._built_panels:
            panel.render_closed()

    # --- what is dropped ---------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take a folder of images, or a project."""
        if dropped_folder(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Open the project that is dropped, or begin a new one with the images."""
        folder = dropped_folder(event.mimeData())
        if folder is None:
            return
        event.acceptProposedAction()
        if project_in(folder) is not None:
            self.context.opener.open(folder)
            return
        self._show_tab("Project")
        panel = self._panels[0]
        if isinstance(panel, ProjectPanel):
            panel.new.take_folder(folder)

    # --- napari ------------------------------------------------------------------------------

    def _on_layer(self, event: Any) -> None:
        self._open_project_of(event.value)

    def _open_project_of(self, layer: Any) -> None:
        """Open the project whose folder was dropped on the window or opened by the reader."""
        folder = layer.metadata.get(PROJECT_KEY)
        if folder is not None:
            # Once napari has done with the new layer: it still selects it after this event.
            QTimer.singleShot(0, lambda: self._swap_for_project(layer, Path(folder)))

    def _swap_for_project(self, layer: Any, folder: Path) -> None:
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        current = self.context.session
        if current is None or current.project.folder != folder:
            self.context.opener.open(folder)

    # --- closing -----------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Save, stop and let go of the project before the widget goes."""
        self.release()
        super().closeEvent(event)

    def release(self, *, window_closes: bool = False) -> None:
        """Let go of the project and of napari's events; twice does no harm."""
        if self._released:
            return
        self._released = True
        session = self.context.session
        if session is not None:
            session.state_changed.disconnect(self._on_state)
            session.content_changed.disconnect(self._on_content)
            session.progressed.disconnect(self._on_progress)
        self.context.session_changed.disconnect(self._on_session)
        self.context.failed.disconnect(self._on_failed)
        self.context.resolved.disconnect(self.message.resolve)
        self.context.opened_at_once.disconnect(self._finish_opening)
        self.context.tab_wanted.disconnect(self._show_tab)
        self.context.opener.announced.disconnect(self._on_opening)
        self.context.opener.release()
        self.context.missing.release()
        self.context.preferences.changed.disconnect(self._prefer)
        self._viewer.layers.events.inserted.disconnect(self._on_layer)
        QApplication.instance().aboutToQuit.disconnect(self.release)
        self._build_soon.stop()
        for panel in self._built_panels:
            panel.let_go()
        if isalive(self) and not window_closes:
            self._put_away()
        elif self._painter is not None:  # layers and what lies over the canvas go with the window
            self.annotate.keep_tissue()
            self._painter.save()
            if self._binder is not None:
                self._binder.stop()
            self.annotate.attach(None, None)  # a layer that is removed now does not come back
        if isalive(self):
            self._guard.release()
        self.context.close()
