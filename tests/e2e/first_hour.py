"""A stranger's first hour in a process of its own: mouse and keys alone, menu to close.

Run by ``test_first_hour.py`` as ``first_hour.py IMAGES TRUTH CLASSES EXPORT``. It prints a line of
JSON after the window is closed: errors and dialogs that came, the project, and what was labelled.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import numpy as np
from closed_window import send_delete_window
from napari_menus import menu_action
from PIL import Image
from qtpy.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QPushButton

from napari_active_seg.regions import RegionState

LEFT = Qt.MouseButton.LeftButton
N_REGIONS = 8
#: What a stranger answers, by how the text of the button begins.
ANSWERS = ("background", "Close")


class ErrorWatch(QObject):
    """Keeps every text that the error bar has shown."""

    def __init__(self, bar):
        super().__init__(bar)
        self.texts = []
        bar.installEventFilter(self)

    def eventFilter(self, bar, event):  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Show:
            QTimer.singleShot(0, lambda: self.texts.append(bar.text.text()))
        return False


class Stranger:
    """Does to the window what a person does."""

    def __init__(self, viewer, truth):
        self.viewer, self.truth = viewer, truth
        self.dialogs, self.labelled = [], 0
        self._answers = QTimer()
        self._answers.timeout.connect(self._answer)
        self._answers.start(50)

    # --- hands -------------------------------------------------------------------------------

    def open_by_menu(self):
        menu_action(self.viewer, "Plugins", "Label and train").trigger()
        self.wait(lambda: self.viewer.window.dock_widgets, "the dock")
        self.dock = next(iter(self.viewer.window.dock_widgets.values()))
        self.wait(lambda: self.dock.isVisible(), "the dock on the screen")
        self.errors = ErrorWatch(self.dock.message)

    def wait(self, is_so, what, seconds=120):
        for _ in range(seconds * 50):
            if is_so():
                QTest.qWait(30)
                return
            QTest.qWait(20)
        raise AssertionError(f"waited in vain for {what}")

    def tab(self, title):
        bar = self.dock.tabs.tabBar()
        index = next(k for k in range(bar.count()) if bar.tabText(k) == title)
        QTest.mouseClick(bar, LEFT, pos=bar.tabRect(index).center())
        self.wait(lambda: self.dock.tabs.currentIndex() == index, f"the tab {title}")
        return self.dock.tabs.widget(index).widget()

    def click(self, button):
        scroll = self.dock.tabs.currentWidget()
        scroll.ensureWidgetVisible(button)
        self.wait(button.isEnabled, f"{button.text()!r} to be enabled: {button.toolTip()}")
        QTest.mouseClick(button, LEFT)
        QTest.qWait(30)

    def write(self, line, text):
        QTest.mouseClick(line, LEFT)
        line.selectAll()
        QTest.keyClicks(line, str(text))
        QTest.keyClick(line, Qt.Key.Key_Return)
        QTest.qWait(30)

    def place(self, y, x):
        """Return where a data position is on the canvas."""
        canvas, camera = self.viewer.window._qt_viewer.canvas, self.viewer.scene.camera
        height, width = canvas.size
        return QPoint(
            round(width / 2 + (x - camera.center[-1]) * camera.zoom),
            round(height / 2 + (y - camera.center[-2]) * camera.zoom),
        )

    def drag(self, y, start, end):
        canvas = self.viewer.window._qt_viewer.canvas.native
        places = [self.place(y, x) for x in np.linspace(start, end, max(2, int(end - start) // 3))]
        QTest.mouseMove(canvas, places[0])
        QTest.mousePress(canvas, LEFT, pos=places[0])
        for at in places[1:]:
            QTest.mouseMove(canvas, at)
            QTest.qWait(2)
        QTest.mouseRelease(canvas, LEFT, pos=places[-1])
        QTest.qWait(5)

    def _answer(self):
        box = QApplication.activeModalWidget()
        if not isinstance(box, QDialog) or not box.isVisible():
            return
        for button in box.findChildren(QPushButton):
            if button.text().replace("&", "").startswith(ANSWERS):
                self.dialogs.append(box.windowTitle())
                QTest.mouseClick(button, LEFT)
                return

    # --- the hour ----------------------------------------------------------------------------

    @property
    def session(self):
        return self.dock.context.session

    def idle(self, seconds=300):
        self.wait(lambda: not self.session.state.jobs, "the job", seconds)
        self.wait(lambda: not self.session.state.unsaved, "the disk")

    def sign_in(self):
        QTest.keyClicks(self.dock.name_bar.line, "A. Stranger")
        QTest.keyClick(self.dock.name_bar.line, Qt.Key.Key_Return)

    def make_project(self, images, classes):
        new = self.tab("Project").new
        self.write(new.images_dir.line_edit.native, images)
        self.wait(
            lambda: new.make.isEnabled() and new._look is not None, "the folder to be searched"
        )
        found = new.found.text()
        self.write(new.classes.native, classes)
        self.click(new.make)
        self.wait(lambda: self.session is not None, "the project")
        self.idle()
        return found

    def propose(self):
        panel = self.tab("Propose")
        self.click(panel.go)
        self.wait(lambda: self.session.state.open_regions, "regions")
        self.idle()
        self.wait(
            lambda: self.dock.tabs.tabText(self.dock.tabs.currentIndex()) == "Annotate", "Annotate"
        )

    def label(self, many):
        panel = self.tab("Annotate")
        while many and self.session.state.open_regions:
            region = self.session.state.region
            if region is None:
                self.click(panel.next)
                continue
            self.label_one(panel)
            many -= 1
            self.wait(
                lambda left=region.id: self.session.state.region_id != left, "the next region"
            )

    def label_one(self, panel):
        """Paint the foreground alone, as everybody does, and say Done."""
        region = self.session.state.region.region
        self.click(panel.tools.class_buttons.buttons()[1])
        self.click(panel.tools.tools["brush"])
        self.wait(lambda: self.viewer.layers.selection.active is self.dock.painter.layer, "paint")
        QTest.qWait(60)
        step = max(2, int(self.dock.painter.layer.brush_size) - 1)
        mask = self.truth(region.image_id)[region.slices]
        for row in range(step // 2, region.height, step):
            columns = np.flatnonzero(mask[row])
            for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
                if len(run) > step:
                    y, x = region.y + row, region.x
                    self.drag(y, x + run[0] + step // 2, x + run[-1] - step // 2)
        self.click(panel.answers[RegionState.DONE])
        self.labelled += 1

    def train(self):
        panel = self.tab("Train")
        before = len(self.session.state.models)
        self.click(panel.go)
        self.wait(lambda: len(self.session.state.models) > before, "a model", 300)
        self.idle()

    def label_here(self):
        """Choose a place on an image without regions, and label it too."""
        state = self.session.state
        taken = {queued.region.image_id for queued in state.queue}
        free = [i for i in state.image_ids if i not in taken and i not in state.validation_ids]
        images = self.tab("Project").images
        row = list(state.image_ids).index((free or [state.image_id])[0])
        images.scrollToItem(images.item(row))
        QTest.mouseClick(
            images.viewport(), LEFT, pos=images.visualItemRect(images.item(row)).center()
        )
        QTest.qWait(200)
        panel = self.tab("Annotate")
        mask = self.truth(self.session.state.image_id)
        y, x = (int(np.mean(axis)) for axis in np.nonzero(mask))
        self.click(panel.label_here)
        canvas = self.viewer.window._qt_viewer.canvas.native
        QTest.mouseMove(canvas, self.place(y, x))
        QTest.qWait(50)
        QTest.mouseClick(canvas, LEFT, pos=self.place(y, x))
        self.wait(lambda: self.session.state.region is not None, "the region placed by hand")
        QTest.qWait(200)
        placed = self.session.state.region
        self.label_one(panel)
        self.wait(lambda: self.session.state.region_id != placed.id, "the region to be finished")
        return str(placed.kind)

    def export(self, folder):
        panel = self.tab("Export")
        self.write(panel.folder.line_edit.native, folder)
        self.click(panel.go)
        self.wait(lambda: Path(folder).is_dir() and any(Path(folder).iterdir()), "the export")
        self.idle()


def main(images, truth, classes, export):
    import napari

    sys.excepthook = fail
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    QTest.qWait(200)
    stranger = Stranger(viewer, lambda image_id: read_truth(Path(truth), image_id))
    told = {}

    def live():
        stranger.open_by_menu()
        stranger.sign_in()
        told["found"] = stranger.make_project(images, classes)
        stranger.propose()
        stranger.label(N_REGIONS)
        stranger.train()
        told["kind"] = stranger.label_here()
        stranger.propose()
        stranger.label(2)
        stranger.train()
        stranger.export(export)
        told["project"] = str(stranger.session.project.folder)
        told["models"] = len(stranger.session.state.models)
        told["errors"], told["dialogs"] = stranger.errors.texts, list(stranger.dialogs)
        told["labelled"] = stranger.labelled
        send_delete_window(viewer)

    QTimer.singleShot(0, live)
    napari.run(gui_exceptions=False)
    sys.stdout.write(json.dumps(told) + "\n")


def read_truth(folder, image_id):
    with Image.open(folder / f"{Path(image_id).stem}.png") as mask:
        return np.asarray(mask) > 0


def fail(kind, error, trace):
    """End the process where the script itself goes wrong: napari would show a message and go on."""
    traceback.print_exception(kind, error, trace)
    os._exit(3)


if __name__ == "__main__":
    main(*sys.argv[1:5])
