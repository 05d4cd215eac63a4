"""The dock: six tabs in the order of the work, a line that says where we are, a stop button."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from psygnal.qt import start_emitting_from_queue
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QCloseEvent, QShowEvent
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_active_seg.errors import ActiveSegError
from napari_active_seg.gui.desk import Desk, Tools
from napari_active_seg.gui.keys import bind_keys, unbind_keys
from napari_active_seg.gui.layers import LayerBinder
from napari_active_seg.gui.painting import RegionPainter
from napari_active_seg.gui.panels import PANELS, AnnotateActions, Panel
from napari_active_seg.gui.questions import ask_close_training, ask_close_unsaved
from napari_active_seg.jobs import Progress
from napari_active_seg.plugin_keys import PROJECT_KEY
from napari_active_seg.session import Session, SessionState, ViewState, resolve_view

__all__ = ["Dock"]


class Dock(QWidget):  # type: ignore[misc]
    """The plugin's widget."""

    def __init__(self, viewer: ViewerModel, tools: Tools) -> None:
        super().__init__()
        start_emitting_from_queue(msec=15)
        self.desk = Desk(viewer, tools)
        self.desk.parent = self
        self.annotate = AnnotateActions(self.desk)
        self._viewer = viewer
        self._binder: LayerBinder | None = None
        self._painter: RegionPainter | None = None
        self._shown: SessionState | None = None
        self._with_keys: object = None
        self._released = False
        self._panels: list[Panel] = [make(self.desk, self.annotate) for make in PANELS]
        self._build()
        self.desk.session_changed.connect(self._on_session)
        viewer.layers.events.inserted.connect(self._on_layer)
        QApplication.instance().aboutToQuit.connect(self.release)
        for layer in tuple(viewer.layers):
            self._open_project_of(layer)
        if self.desk.session is None:
            self._render_without_session()

    @property
    def painter(self) -> RegionPainter | None:
        """What paints in the region in hand, while a project is open."""
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
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.doing = QLabel()
        self.doing.setWordWrap(True)
        self.doing.hide()
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(self.desk.with_session(Session.cancel))
        busy = QHBoxLayout()
        busy.addWidget(self.bar, 1)
        busy.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.status)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.doing)
        layout.addLayout(busy)
        self.setMinimumWidth(360)

    # --- session -----------------------------------------------------------------------------

    def _on_session(self, session: Session | None) -> None:
        self._put_away()
        if session is None:
            self._render_without_session()
            return
        self._painter = RegionPainter(self._viewer, session, self.desk.run)
        self._binder = LayerBinder(self._viewer, session, self._painter)
        self.annotate.attach(self._painter, self._binder)
        session.state_changed.connect(self._on_state)
        session.progressed.connect(self._on_progress)
        bind_keys(self._viewer, self.annotate.keys)
        self._on_state(session.state)

    def _put_away(self) -> None:
        self.annotate.edit_tissue(False)
        if self._painter is not None:
            self._painter.put_down()
        if self._binder is not None:
            self._binder.clear()
            unbind_keys(self._viewer, self.annotate.keys)
        self.annotate.attach(None, None)
        self._painter, self._binder, self._shown = None, None, None

    def _on_state(self, state: SessionState, _old: SessionState | None = None) -> None:
        session, binder = self.desk.session, self._binder
        if session is None or binder is None:
            return
        view = resolve_view(state)
        if self._shown is not None and replace(self._shown, unsaved=state.unsaved) == state:
            self._shown = state
            self._on_saving(session, state, view)
            return
        # States may arrive while layers are being changed; the last one drawn is what counts.
        shown, self._shown = self._shown, state
        if shown is not None and shown.image_id != state.image_id:
            self.annotate.edit_tissue(False)
        self.desk.run(lambda: binder.render(state, shown, view))
        if self._painter is not None and self._painter.layer is not self._with_keys:
            self._with_keys = self._painter.layer
            bind_keys(self._with_keys, self.annotate.keys)
        self.status.setText(view.status + (" Saving..." if state.unsaved else ""))
        self.stop.setEnabled(view.can_cancel)
        if state.job is None:
            self.bar.setRange(0, 1)
            self.bar.setValue(0)
            self.bar.setFormat("")
            self.doing.hide()
        for panel in self._panels:
            panel.render_state(session, view)

    def _on_saving(self, session: Session, state: SessionState, view: ViewState) -> None:
        """Show whether all is on the disk; nothing else changed since the last stroke."""
        self.status.setText(view.status + (" Saving..." if state.unsaved else ""))
        if not state.unsaved:
            for panel in self._panels:
                panel.render_saved(session)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, max(progress.total, 1))
        self.bar.setValue(progress.done)
        self.bar.setFormat(f"{progress.job} %p %")
        self.doing.setText(progress.text)
        self.doing.setVisible(bool(progress.text) and self.stop.isEnabled())

    def _render_without_session(self) -> None:
        self.status.setText("Open a project, or make one from a folder of images")
        self.stop.setEnabled(False)
        for panel in self._panels:
            panel.render_closed()

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
        current = self.desk.session
        if current is None or current.project.folder != folder:
            self.desk.run(lambda: self.desk.open(folder))

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Learn which window this is, to hear when it closes."""
        super().showEvent(event)
        if not self._released:
            self.window().installEventFilter(self)  # a second time replaces the first

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Save what is in hand before the window closes; where that fails, the person decides."""
        if event.type() == QEvent.Type.Close and not self._may_close():
            event.ignore()
            return True
        return bool(super().eventFilter(watched, event))

    def _may_close(self) -> bool:
        session, painter = self.desk.session, self._painter
        if session is None or painter is None:
            return True
        if "training" in session.state.jobs and not ask_close_training(self):
            return False
        painter.offer()
        try:
            session.labels.flush()
        except ActiveSegError as error:
            return ask_close_unsaved(self, str(error))
        return True

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Save, stop and let go of the project before the widget goes."""
        self.release()
        super().closeEvent(event)

    def release(self) -> None:
        """Let go of the project and of napari's events; twice does no harm."""
        if self._released:
            return
        self._released = True
        session = self.desk.session
        if session is not None:
            session.state_changed.disconnect(self._on_state)
            session.progressed.disconnect(self._on_progress)
        self.desk.session_changed.disconnect(self._on_session)
        self._viewer.layers.events.inserted.disconnect(self._on_layer)
        QApplication.instance().aboutToQuit.disconnect(self.release)
        if isalive(self):
            self.window().removeEventFilter(self)
            self._put_away()
        elif self._painter is not None:  # the window is gone, and its layers with it
            self._painter.save()
        self.desk.close()
