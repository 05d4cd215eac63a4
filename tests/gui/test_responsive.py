"""The window keeps responding: what takes time happens in other threads, or in small pieces."""

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_active_seg import figures
from napari_active_seg.gui.layers.registry import quick_collections
from napari_active_seg.gui.layers.sync import ROLE_KEY
from napari_active_seg.gui.panels import project as project_panel
from napari_active_seg.gui.shell.background_imports import finish_imports
from napari_active_seg.jobs import JobKind

#: The first training of a process loads much of torch.
LONG = 240_000
FIRST_OPENING = Path(__file__).with_name("first_opening.py")


def test_first_dock_loads_behind_a_dialog(tmp_path):
    """In a fresh process the event loop turns while the dock's modules load."""
    settings = tmp_path / "settings.json"
    done = subprocess.run(
        [sys.executable, str(FIRST_OPENING)],
        env={**os.environ, "NAPARI_ACTIVE_SEG_SETTINGS": str(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert not facts["loaded_before"]
    assert facts["turns"] >= 5
    assert facts["texts"] == ["Opening Label and train..."]
    assert facts["dock"] == "LabelAndTrain" and not facts["dialog_left"]


def test_sample_is_written_in_another_thread(window, tmp_path, monkeypatch):
    """The button returns at once with a line about what happens; the project opens later."""
    threads, context = [], window.dock.context
    write = context.backend.write_sample_project

    def recorded(*arguments, **facts):
        threads.append(threading.current_thread())
        return write(*arguments, **facts)

    monkeypatch.setattr(context, "backend", replace(context.backend, write_sample_project=recorded))
    monkeypatch.setattr(project_panel, "ask_folder", lambda *_: tmp_path)
    panel = window.panel("Project")
    panel._sample("histology")
    assert window.session is None
    assert "sample" in window.dock.status.text()
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=60_000)
    window.drawn()
    assert threads and threads[0] is not threading.main_thread()
    assert window.session.state.project == "histology-project"
    assert "Start with Propose" in window.dock.status.text()


def test_project_is_read_in_another_thread(window, project_folder, monkeypatch):
    threads, context = [], window.dock.context
    read = context.backend.open_session

    def recorded(*arguments, **facts):
        threads.append(threading.current_thread())
        return read(*arguments, **facts)

    monkeypatch.setattr(context, "backend", replace(context.backend, open_session=recorded))
    monkeypatch.setattr(project_panel, "ask_folder", lambda *_: project_folder)
    window.panel("Project")._open()
    assert window.dock.status.text() == "Opening project..."
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=30_000)
    assert threads and threads[0] is not threading.main_thread()


def test_project_that_cannot_be_opened_leaves_the_current_one(proposed, tmp_path, monkeypatch):
    folder = proposed.session.project.folder
    monkeypatch.setattr(project_panel, "ask_folder", lambda *_: tmp_path / "nothing")
    proposed.panel("Project")._open()
    proposed.qtbot.waitUntil(lambda: proposed.dock.message.isVisible(), timeout=10_000)
    assert "is not a project" in proposed.dock.message.text.text()
    assert proposed.session.project.folder == folder
    assert "to label" in proposed.dock.status.text()


def test_opening_another_project_stops_a_job_and_waits_for_it(proposed, tmp_path, pool):
    window = proposed
    window.finish_all(pool)
    first = window.session
    other = copied_project(window, tmp_path)
    first.train(preset="unet", epochs=10_000, wait=False)
    window.qtbot.waitUntil(lambda: first.state.job is JobKind.TRAIN)

    def agree():
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            next(b for b in box.buttons() if b.text() == "Stop and close").click()

    timer = QTimer()
    timer.timeout.connect(agree)
    timer.start(20)
    window.dock.context.opener.open(other)
    window.qtbot.waitUntil(lambda: window.session is not first, timeout=60_000)
    timer.stop()
    assert window.session.project.folder == other
    assert first.state.job is None and first.state.model is None


def copied_project(window, tmp_path):
    """Return a copy of the open project that nobody holds; images and masks are linked to."""
    folder = window.session.project.folder
    copy = tmp_path / "second" / folder.name
    shutil.copytree(folder, copy)
    (copy.parent / "data").symlink_to(folder.parent / "data")
    from napari_active_seg.project import Project

    Project.open(copy, take_over=True).close()
    return copy


def ours(viewer):
    return {
        layer.metadata[ROLE_KEY]: layer for layer in viewer.layers if ROLE_KEY in layer.metadata
    }


def test_layers_serve_the_next_project_too(proposed, tmp_path, pool):
    """No layer but the paint layer is removed, and nothing of the first project is seen."""
    window = proposed
    mine = window.viewer.add_points(np.array([[5, 5]]), name="mine")
    window.finish_all(pool)
    window.session.train(epochs=20, wait=False)
    window.settle(LONG)
    window.drawn()
    before = ours(window.viewer)
    assert {"image", "regions", "labels", "paint", "prediction"} <= before.keys()
    other = copied_project(window, tmp_path)
    before["image"].visible = False  # as the person may have left it
    window.open(other)
    now = ours(window.viewer)
    assert all(now[role] is before[role] for role in ("image", "regions", "labels"))
    assert now["image"].visible and now["image"].name == window.session.state.image_id
    assert before["paint"] not in window.viewer.layers
    assert mine in window.viewer.layers
    window.dock.context.close()
    assert list(window.viewer.layers) == [mine]


def test_maps_of_the_project_before_are_gone(proposed, pool, tmp_path):
    from napari_active_seg.session.create_project import create_project

    window = proposed
    window.finish_all(pool)
    window.session.train(epochs=20, wait=False)
    window.settle(LONG)
    assert window.layer("prediction").visible
    plain = create_project(
        tmp_path / "plain", images_dir=pool / "images", classes=["background", "disk"]
    )
    window.open(plain.folder)
    assert window.session.state.queue == ()
    for role in ("prediction", "uncertainty", "paint"):
        assert window.layer(role) is None
    assert not np.asarray(window.layer("labels").data).any()


def test_opening_a_second_project_leaves_nothing_out_of_collections():
    """Only modules are: what a closed project leaves in circles has to be collected."""
    finish_imports()
    frozen = gc.get_freeze_count()
    circles = [[] for _ in range(10_000)]
    for circle in circles:
        circle.append(circle)
    finish_imports()
    assert gc.get_freeze_count() <= frozen


def test_quick_collections_look_at_young_objects_only_meanwhile():
    full, generations = gc.collect, []

    def note(phase, facts):
        if phase == "start":
            generations.append(facts["generation"])

    gc.callbacks.append(note)
    try:
        with quick_collections():
            gc.collect()
        gc.collect()
    finally:
        gc.callbacks.remove(note)
    assert gc.collect is full
    assert generations[0] == 0 and generations[-1] == 2


def test_figures_are_drawn_in_another_thread(proposed, pool, monkeypatch):
    threads, draw = [], figures.figure_png

    def recorded(*arguments, **facts):
        threads.append(threading.current_thread())
        return draw(*arguments, **facts)

    monkeypatch.setattr(figures, "figure_png", recorded)
    window = proposed
    window.finish_all(pool)
    train = window.panel("Train")
    window.click(train.go)
    window.settle(LONG)
    window.qtbot.waitUntil(lambda: train.loss.height() > 50, timeout=30_000)
    trust = window.panel("Trust")
    window.qtbot.waitUntil(lambda: trust.diagram.height() > 50, timeout=30_000)
    assert len(threads) >= 2 and threading.main_thread() not in threads


def test_libraries_of_torch_load_before_torch():
    """What is loaded early is what the import then uses."""
    code = (
        "import sys\n"
        "from napari_active_seg.models.torch_libraries import load_torch_libraries\n"
        "load_torch_libraries()\n"
        "assert 'torch' not in sys.modules\n"
        "if sys.platform == 'linux':\n"
        "    assert 'libtorch_cpu' in open('/proc/self/maps').read()\n"
        "import torch\n"
        "load_torch_libraries()\n"
        "print(float(torch.ones(3).sum()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "3.0", done.stderr
