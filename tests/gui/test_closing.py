"""Closing the window and the dock in the middle of work, in real processes with real jobs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from napari_menus import menu_action
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_active_seg.api import open_session
from napari_active_seg.errors import ProjectError
from napari_active_seg.gui.shell.dock import Dock
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import Project

CLOSED = Path(__file__).with_name("closed_window.py")
JOBS = ("training", "predicting", "proposing", "exporting")
LONGEST_S = 300


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a model, four finished regions and four to label."""
    from tiny_data import write_pool

    from napari_active_seg.session.create_project import ImageSettings, create_project

    folder = tmp_path_factory.mktemp("closing")
    pool = write_pool(folder / "data")
    made = create_project(
        folder / "project",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.25),
    )
    session = open_session(made.folder)
    session.maintenance.configure(unpainted="unlabelled")
    session.proposals.propose(count=4, size=32, wait=False)
    session.labels.answer_from_masks(pool / "masks", wait=False)
    session.train(preset="fast", epochs=5, wait=False)
    session.proposals.propose(count=4, size=32, wait=False)
    session.close()
    return made.folder


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained.parent, tmp_path / "copy") / trained.name


def close(folder, job, road, preferences):
    """Return what a window tells that was closed, after checks that hold for all of them."""
    paths = [str(CLOSED.parents[1] / "support"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "NAPARI_ACTIVE_SEG_SETTINGS": str(preferences),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    ended = subprocess.run(
        [sys.executable, str(CLOSED), str(folder), job, road],
        env=environment,
        capture_output=True, text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr and "Error" not in ended.stderr, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    with Project.open(folder) as project:  # nobody holds it
        label = project.labels.latest(told["region"])
        assert int((label.target == 1).sum()) > 20
    return told


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_window_closed_during_a_job_asks_once_and_ends_well(copied, preferences, job):
    told = close(copied, job, "button", preferences)
    assert told["job"] == job
    assert len(told["dialogs"]) == 1, told["dialogs"]
    assert "Closing stops it" in told["dialogs"][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "road", "dialogs"),
    [
        ("training", "menu", 1),
        ("training", "exit", 1),
        ("training", "script", 0),  # viewer.close() cannot be declined any more
        ("none", "button", 1),  # napari's own
    ],
)
def test_window_closed_in_other_ways_asks_as_often_as_napari_does(
    copied, preferences, job, road, dialogs
):
    told = close(copied, job, road, preferences)
    assert len(told["dialogs"]) == dialogs, told["dialogs"]
    if dialogs and job == "training":
        assert "Closing stops it" in told["dialogs"][0]


# --- the dock ------------------------------------------------------------------------------------


class Dialogs:
    """Presses a button of every dialog that comes, and remembers what was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []
        self.timer = QTimer()
        self.timer.timeout.connect(self.answer)
        self.timer.start(20)

    def answer(self):
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox) and box.isVisible():
            self.asked.append(box.text())
            if not self.answers:
                box.reject()  # nobody expected it; the test fails by what was asked
                return
            wanted = self.answers.pop(0)
            next(b for b in box.buttons() if b.text() == wanted).click()


@pytest.fixture
def dialogs():
    made = Dialogs()
    yield made
    made.timer.stop()
    assert made.answers == []


def press_x(window, dock):
    """Press the close button in the title bar of the dock."""
    button = dock.parentWidget().findChild(QPushButton, "QTitleBarCloseButton")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    window.qtbot.wait(50)


def dock_of(viewer):
    return next((w for w in viewer.window.dock_widgets.values() if isinstance(w, Dock)), None)


def stroke(window):
    queued = window.session.state.region
    y, x = queued.region.y, queued.region.x
    window.drag((y + 8, x + 8), (y + 8, x + 24))
    return queued.id, np.asarray(window.paint.data).copy()


def test_dock_closed_while_training_asks_stops_and_comes_back(proposed, pool, dialogs):
    window, viewer = proposed, proposed.viewer
    window.finish_all(pool)
    window.session.proposals.propose(count=2, size=32, wait=False)
    window.settle()
    folder, session = window.session.project.folder, window.session
    session.maintenance.configure(unpainted="unlabelled")
    region_id, painted = stroke(window)
    session.train(preset="unet", epochs=10_000, wait=False)
    window.qtbot.wait(300)
    dialogs.answers = ["Keep training", "Stop and close"]
    press_x(window, window.dock)
    window.qtbot.waitUntil(window.dock.isVisible, timeout=5000)
    assert dock_of(viewer) is window.dock
    assert session.state.job is JobKind.TRAIN
    press_x(window, window.dock)
    assert dialogs.asked == ["A network is being trained."] * 2
    assert dock_of(viewer) is None
    assert session.project.database.closed
    assert list(viewer.layers) == []
    Project.open(folder).close()  # nobody holds it
    menu_action(viewer, "Plugins", "Label and train").trigger()
    again = dock_of(viewer)
    window.qtbot.waitUntil(lambda: again.context.session is not None, timeout=10_000)
    assert not again.context.session.state.read_only
    assert again.context.session.state.region_id == region_id
    window.qtbot.waitUntil(lambda: again.painter.layer is not None, timeout=10_000)
    np.testing.assert_array_equal(again.painter.layer.data, painted)
    window.dock = again
    window.key(Qt.Key.Key_D)  # and it works
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=5000)
    assert window.session.project.regions.get(region_id).state == "done"
    again.release()


def test_dock_closed_while_idle_asks_nothing(proposed, dialogs):
    session = proposed.session
    press_x(proposed, proposed.dock)
    assert session.project.database.closed
    assert dialogs.asked == []


# --- opening another project ---------------------------------------------------------------------


@pytest.fixture
def other(tmp_path, pool):
    from napari_active_seg.session.create_project import create_project

    return create_project(
        tmp_path / "other", images_dir=pool / "images", classes=("background", "disk")
    ).folder


def refuse(*_, **__):
    raise ProjectError("the disk is full; free some space")


def test_another_project_is_opened_over_unsaved_paint_only_where_the_person_agrees(
    proposed, other, dialogs, monkeypatch
):
    window, first = proposed, proposed.session
    with monkeypatch.context() as full:
        full.setattr(first.project.labels, "save", refuse)
        region_id, painted = stroke(window)
        dialogs.answers = ["Stay and try again"]
        window.viewer.open(str(other), plugin="napari-active-seg")  # as a drop does
        window.qtbot.waitUntil(lambda: len(dialogs.asked) == 1, timeout=10_000)
        window.qtbot.wait(50)
        assert window.session is first
        np.testing.assert_array_equal(window.paint.data, painted)
    assert window.dock.context.open(other)  # there is room again: nothing is lost
    assert window.session.project.folder == other
    with Project.open(first.project.folder) as project:
        assert (project.labels.latest(region_id).target == 1).any()


def test_open_project_that_is_opened_again_stays_as_it_is(proposed, dialogs):
    session = proposed.session
    assert proposed.dock.context.open(session.project.folder)
    assert proposed.session is session and dialogs.asked == []


# --- a folder that is away, and a project that was taken over -------------------------------------


@pytest.mark.parametrize("back_as", ["the same folder", "a copy"])
def test_folder_that_was_away_is_saved_to_when_it_is_back(proposed, back_as):
    window, project = proposed, proposed.session.project
    away = project.folder.with_name("away")
    project.folder.rename(away)
    first, _ = stroke(window)
    window.qtbot.waitUntil(window.dock.message.isVisible, timeout=10_000)
    assert "is not there" in window.dock.message.text.text()
    window.key(Qt.Key.Key_N)  # the person goes on
    second, _ = stroke(window)
    assert first != second
    window.qtbot.wait(1500)
    assert window.session.state.unsaved == {first, second}
    assert not project.folder.exists()
    if back_as == "a copy":
        shutil.copytree(away, project.folder)
    else:
        away.rename(project.folder)
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=15_000)
    window.qtbot.waitUntil(lambda: not window.dock.message.isVisible(), timeout=5000)
    with Project.open(project.folder, read_only=True) as reader:
        for region_id in (first, second):
            assert (reader.labels.latest(region_id).target == 1).any()


TAKE_OVER = """
import sys
from pathlib import Path
from napari_active_seg.project import Project
project = Project.open(Path(sys.argv[1]), take_over=True)
print("taken", flush=True)
sys.stdin.readline()
project.close()
"""


def test_window_of_a_project_that_was_taken_over_keeps_its_paint_and_never_writes(proposed):
    window, folder = proposed, proposed.session.project.folder
    taker = subprocess.Popen(
        [sys.executable, "-c", TAKE_OVER, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert taker.stdout.readline() == "taken\n"
        before = (folder / "project.db").read_bytes()
        region_id, painted = stroke(window)
        window.qtbot.waitUntil(lambda: window.session.state.read_only, timeout=10_000)
        name = next(q for q in window.session.state.queue if q.id == region_id).region.image_id
        window.qtbot.waitUntil(lambda: kept_layers(window.viewer) != [], timeout=5000)
        (layer,) = kept_layers(window.viewer)
        assert name in layer.name
        np.testing.assert_array_equal(layer.data, painted)
        status, message = window.dock.status.text(), window.dock.message.text.text()
        assert status.startswith("Read-only") and "another program" in status
        assert layer.name in message and "Save Selected Layers" in message
        shown = np.asarray(window.paint.data).copy()
        region = window.session.state.region.region
        window.viewer.layers.selection.active = window.paint
        window.drag((region.y + 20, region.x + 8), (region.y + 20, region.x + 24))
        window.dock.annotate.choose_tool("brush")
        window.drag((region.y + 20, region.x + 8), (region.y + 20, region.x + 24))
        np.testing.assert_array_equal(window.paint.data, shown)
        window.key(Qt.Key.Key_S)
        window.dock.context.close()
        assert layer in window.viewer.layers  # the person's own now
        assert (folder / "project.db").read_bytes() == before
    finally:
        taker.communicate("\n", timeout=60)


def kept_layers(viewer):
    return [layer for layer in viewer.layers if layer.name.startswith("Not saved")]


def test_closing_the_window_asks_about_labels_that_could_not_be_saved(proposed, dialogs):
    window, folder = proposed, proposed.session.project.folder
    with Project.open(folder, take_over=True):
        stroke(window)
        window.qtbot.waitUntil(lambda: kept_layers(window.viewer) != [], timeout=10_000)
        dialogs.answers = ["Stay and try again"]
        assert not window.viewer.window._qt_window.close()
        assert window.viewer.window._qt_window.isVisible()
        for layer in kept_layers(window.viewer):
            window.viewer.layers.remove(layer)  # there is nothing to lose any more
        assert window.dock.context.may_close()
    assert len(dialogs.asked) == 1
