"""Every entry of the manifest, reached as a person reaches it: by napari's own menus and drops.

``scripts/check_napari_versions.sh`` runs this file with the oldest and the newest napari.
"""

import pytest
from napari_menus import menu_action
from npe2 import PluginManifest
from qtpy.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QProgressDialog,
    QRadioButton,
)

from napari_active_seg.gui.shell.dock import Dock

NAME = "Label and train (Active Segmentation)"
WIDGET_MENUS = [
    ("Plugins", "Label and train"),
    ("Layers", "Annotate", "Label and train"),
    ("Layers", "Segment", "Label and train"),
]


@pytest.fixture
def viewer(make_napari_viewer, qtbot, preferences):
    made = make_napari_viewer(show=True)
    made.window.resize(1280, 720)
    qtbot.wait(50)
    yield made
    for dock in made.window._qt_window.findChildren(Dock):
        dock.release()
    qtbot.wait(20)


def dock_in(viewer):
    found = viewer.window.dock_widgets.get(NAME)
    assert found is None or isinstance(found, Dock)
    return found


@pytest.mark.parametrize("titles", WIDGET_MENUS, ids="-".join)
def test_dock_is_opened_hidden_and_shown_by_each_menu(viewer, qtbot, titles, project_folder):
    action = menu_action(viewer, *titles)
    action.trigger()
    dock = dock_in(viewer)
    qtbot.waitUntil(dock.isVisible, timeout=5000)
    assert "Open a project" in dock.status.text()
    dock.context.open(project_folder)
    qtbot.waitUntil(lambda: len(viewer.layers) > 0, timeout=5000)
    menu_action(viewer, *titles).trigger()
    assert not dock.isVisible()
    menu_action(viewer, *titles).trigger()
    assert dock.isVisible() and dock_in(viewer) is dock
    assert dock.context.session.project.folder == project_folder


def test_menus_offer_the_widget_by_the_name_of_what_it_does(viewer):
    texts = [menu_action(viewer, *titles).text() for titles in WIDGET_MENUS]
    assert texts == [NAME] * len(WIDGET_MENUS)


def test_these_are_all_the_entries_of_the_manifest():
    """A new entry needs a test here."""
    contributions = PluginManifest.from_distribution("napari-active-seg").contributions
    assert len(contributions.widgets) == len(contributions.readers) == 1
    assert sorted(contributions.menus) == ["napari/layers/annotate", "napari/layers/segment"]
    assert [sample.key for sample in contributions.sample_data] == ["histology", "dermoscopy"]
    assert len(contributions.commands) == 4


@pytest.mark.parametrize(
    ("sample", "layers"),
    [
        ("H&E glands", ["histology", "histology truth"]),
        ("Skin lesion", ["dermoscopy", "dermoscopy truth"]),
    ],
)
def test_sample_is_opened_by_the_menu(viewer, sample, layers):
    menu_action(viewer, "File", "Open Sample", "Active Segmentation", sample).trigger()
    assert [layer.name for layer in viewer.layers] == layers


@pytest.fixture
def dialogs(qtbot):
    """Answer the dialogs that come: a folder is chosen by ``paths``, a reader by ``readers``."""
    answers = Dialogs()
    yield answers
    answers.timer.stop()
    assert answers.unknown == []


class Dialogs:
    def __init__(self):
        self.paths, self.readers, self.unknown = [], [], []
        self.timer = QTimer()
        self.timer.timeout.connect(self.answer)
        self.timer.start(50)

    def answer(self):
        box = QApplication.activeModalWidget()
        if isinstance(box, QFileDialog) and self.paths:
            box.findChild(QLineEdit).setText(str(self.paths.pop()))
            box.findChild(QDialogButtonBox).buttons()[0].click()
        elif type(box).__name__ == "QtReaderDialog" and self.readers:
            reader = self.readers.pop()
            next(b for b in box.findChildren(QRadioButton) if b.text() == reader).click()
            box.accept()
        elif isinstance(box, QDialog) and not isinstance(box, QProgressDialog):
            self.unknown.append(type(box).__name__)
            box.reject()


def drop_on(qtbot, widget, path, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(widget, Qt.Key.Key_F13, modifier)  # napari asks Qt which were held last
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    button, keys = Qt.MouseButton.LeftButton, modifier
    copy = Qt.DropAction.CopyAction
    entered = QDragEnterEvent(widget.rect().center(), copy, data, button, keys)
    QApplication.sendEvent(widget, entered)
    assert entered.isAccepted()
    QApplication.sendEvent(
        widget, QDropEvent(QPointF(widget.rect().center()), copy, data, button, keys)
    )


@pytest.mark.parametrize(
    "way", ["Open Folder", "drop of the folder", "drop of project.json", "drop with Shift held"]
)
def test_project_is_opened_by_the_reader(viewer, qtbot, project_folder, dialogs, way):
    menu_action(viewer, "Plugins", "Label and train").trigger()
    dock = dock_in(viewer)
    if "json" not in way:  # napari reads folders of pictures too, and asks
        dialogs.readers.append("Active Segmentation")
    if way == "Open Folder":
        dialogs.paths.append(project_folder)
        menu_action(viewer, "File", "Open Folder").trigger()
    else:
        name = "project.json" if "json" in way else ""
        modifiers = Qt.KeyboardModifier
        held = modifiers.ShiftModifier if "Shift" in way else modifiers.NoModifier
        drop_on(qtbot, viewer.window._qt_viewer, project_folder / name, held)
    qtbot.waitUntil(lambda: dock.context.session is not None, timeout=10_000)
    assert dock.context.session.project.folder == project_folder


def test_second_dock_gives_way_to_the_one_that_is_open(viewer, qtbot, project_folder):
    """A script names the dock otherwise than the menu does."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg", "Label and train")
    dock.context.open(project_folder)
    qtbot.wait(50)
    menu_action(viewer, "Plugins", "Label and train").trigger()
    qtbot.waitUntil(lambda: dock_in(viewer) is None, timeout=5000)
    assert dock.isVisible()
    assert dock.context.session.project.folder == project_folder
    assert viewer.window._qt_window.findChildren(Dock) == [dock]
