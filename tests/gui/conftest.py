"""A real window, driven as a person drives it: mouse, keys and buttons."""

import gc
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog


@pytest.fixture(scope="session", autouse=True)
def _quick_collections():
    """Leave what torch brought along out of garbage collections: napari runs many."""
    import napari_active_seg.learning.segmenter  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _dialogs_are_answered(qapp):
    """Close a dialog that nobody answers, so that its test fails instead of waiting for ever."""
    unanswered, shown = [], [None, 0]

    def look():
        dialog = qapp.activeModalWidget()
        shown[:] = [dialog, shown[1] + 1 if dialog is not None and dialog is shown[0] else 0]
        if shown[1] > 60 and isinstance(dialog, QDialog):
            unanswered.append(dialog.windowTitle())
            dialog.reject()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(1000)
    yield
    timer.stop()
    assert unanswered == []


@pytest.fixture
def preferences(tmp_path, monkeypatch):
    """A file of preferences of somebody who has given a name already."""
    path = tmp_path / "preferences.json"
    path.write_text('{"name": "Anna"}')
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_SETTINGS", str(path))
    return path


@pytest.fixture
def window(make_napari_viewer, qtbot, preferences):
    """A viewer on the screen with the dock beside it."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    qtbot.wait(50)
    yield Window(viewer, dock, qtbot)
    dock.release()
    qtbot.wait(20)


class Window:
    """Shorthand for what a person does."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    @property
    def session(self):
        return self.dock.context.session

    @property
    def paint(self):
        return self.dock.painter.layer

    def open(self, folder):
        self.dock.context.run(lambda: self.dock.context.open(folder))
        self.qtbot.wait(50)
        self.drawn()

    def settle(self, timeout=60_000):
        self.qtbot.waitUntil(lambda: self.session.state.job is None, timeout=timeout)
        self.drawn()

    def drawn(self):
        """Wait until what may wait a moment is drawn too."""
        self.qtbot.wait(20)
        binder = self.dock._binder
        if binder is not None:
            self.qtbot.waitUntil(lambda: binder.later.is_done, timeout=10_000)

    def finish_all(self, pool):
        """Let masks answer all that waits."""
        self.session.labels.answer_from_masks(pool / "masks", wait=False)
        self.settle()

    def panel(self, title):
        tabs = self.dock.tabs
        for index in range(tabs.count()):
            if tabs.tabText(index) == title:
                tabs.setCurrentIndex(index)
                return tabs.widget(index).widget()
        raise AssertionError(title)

    def click(self, button):
        self.qtbot.wait(10)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.drawn()

    @property
    def canvas(self):
        return self.viewer.window._qt_viewer.canvas

    def on_canvas(self, y, x):
        """Return where the data position (y, x) is on the canvas."""
        camera = self.viewer.scene.camera
        height, width = self.canvas.size
        return QPoint(
            round(width / 2 + (x - camera.center[-1]) * camera.zoom),
            round(height / 2 + (y - camera.center[-2]) * camera.zoom),
        )

    def drag(self, start, end, steps=12):
        """Drag the left button from one data position to another."""
        self.drag_along([start, end], steps=steps)

    def drag_along(self, places, steps=6):
        """Drag the left button along data positions, with so many events from one to the next."""
        native = self.canvas.native
        points = [
            self.on_canvas(*np.add(start, t * np.subtract(end, start)))
            for start, end in pairwise(places)
            for t in np.linspace(0, 1, steps)
        ]
        QTest.mouseMove(native, points[0])
        self.qtbot.wait(20)
        QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=points[0])
        for point in points[1:]:
            # QTest.mouseMove does not carry the pressed button; send the event ourselves.
            _move_pressed(native, point)
            self.qtbot.wait(5)
        QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=points[-1])
        self.qtbot.wait(30)

    def layer(self, role):
        """Return one of our layers."""
        from napari_active_seg.gui.layers.sync import ROLE_KEY

        found = [layer for layer in self.viewer.layers if layer.metadata.get(ROLE_KEY) == role]
        return found[0] if found else None

    def in_strip(self, shown="waiting"):
        """Return the regions of the film strip, with what their tips say."""
        panel = self.panel("Annotate")
        panel.shown.setCurrentText(shown)
        model = panel.strip.model()
        rows = [model.index(row) for row in range(model.rowCount())]
        tip = Qt.ItemDataRole.ToolTipRole
        return [(index.data(Qt.ItemDataRole.UserRole), index.data(tip)) for index in rows]

    def click_in_strip(self, region_id):
        """Click a region of the film strip."""
        strip = self.panel("Annotate").strip
        index = strip.model().index(strip.model().place[region_id])
        strip.scrollTo(index)
        self.qtbot.wait(20)
        at = strip.visualRect(index).center()
        QTest.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=at)
        self.drawn()

    def click_at(self, y, x):
        """Press and let go of the left button over a data position."""
        at = self.on_canvas(y, x)
        QTest.mouseMove(self.canvas.native, at)
        self.qtbot.wait(20)
        QTest.mouseClick(self.canvas.native, Qt.MouseButton.LeftButton, pos=at)
        self.qtbot.wait(30)

    def key(self, key, modifier=Qt.KeyboardModifier.ShiftModifier):
        QTest.keyClick(self.canvas.native, key, modifier)
        self.qtbot.wait(10)
        self.drawn()


def _move_pressed(widget, point):
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    local = QPointF(point)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        local,
        QPointF(widget.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


@pytest.fixture
def proposed(window, project_folder):
    """The window with a project open and four regions proposed, none painted."""
    window.open(project_folder)
    window.session.maintenance.configure(unpainted="unlabelled")
    window.session.proposals.propose(count=4, size=32, wait=False)
    window.settle()
    return window
