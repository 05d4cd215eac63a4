"""Windows that are killed, doubled, or on a screen with small pixels; and slides in one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from tiny_data import disk_picture

from napari_active_seg.images import source
from napari_active_seg.project import Project
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project

PAINTED = Path(__file__).with_name("painted_window.py")


@pytest.fixture
def queue(project_folder):
    """A project with four regions, which nobody holds."""
    from fakes import FakeSegmenters

    from napari_active_seg.jobs import InlineRunner

    session = Session(Project.open(project_folder), FakeSegmenters(), InlineRunner())
    session.maintenance.configure(unpainted="unlabelled")
    session.proposals.propose(count=4, size=32, wait=False)
    session.close()
    return project_folder


def painted_window(folder, preferences, *, scale=None, picture=""):
    """Start a window that has painted, and return it with what it says."""
    environment = {**os.environ, "NAPARI_ACTIVE_SEG_SETTINGS": str(preferences)}
    if scale is not None:
        environment["QT_SCALE_FACTOR"] = scale
    process = subprocess.Popen(
        [sys.executable, str(PAINTED), str(folder), str(picture)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("{"):
            return process, json.loads(line)
    raise AssertionError(f"the window ended with {process.wait()}")


@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
def test_a_killed_window_comes_back_where_it_was_with_every_stroke(queue, preferences, window):
    process, told = painted_window(queue, preferences)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    window.open(queue)
    state = window.session.state
    assert not state.read_only
    assert (state.region_id, state.image_id) == (told["region"], told["image"])
    assert window.dock.annotate.tools.tool == "smart_fill"
    assert window.paint.selected_label == 1
    assert int((np.asarray(window.paint.data) == 1).sum()) == told["painted"] > 20
    tabs = window.dock.tabs
    assert tabs.tabText(tabs.currentIndex()) == "Annotate"


def test_strokes_lie_under_the_mouse_where_pixels_are_small(queue, preferences, tmp_path):
    picture = tmp_path / "window.png"
    process, told = painted_window(queue, preferences, scale="2", picture=picture)
    process.kill()
    process.wait()
    process.stdout.close()
    assert told["ratio"] == 2
    assert told["row"] >= 16 and told["painted"] <= 100  # a line three pixels wide
    assert told["wider"] == []
    with Image.open(picture) as shown:
        assert min(shown.size) >= 1000


def test_two_windows_side_by_side_know_nothing_of_each_other(
    window, make_napari_viewer, qtbot, queue, tmp_path, pool
):
    second = make_napari_viewer(show=True)
    second.window.resize(1280, 720)
    _, other = second.window.add_plugin_dock_widget("napari-active-seg")
    qtbot.wait(50)
    made = create_project(
        tmp_path / "second",
        images_dir=pool / "images",
        classes=("skin", "lesion"),
        settings=ImageSettings(val_fraction=0.0),
    )
    window.open(queue)
    other.context.open(made.folder)
    other.context.session.maintenance.configure(unpainted="unlabelled")
    other.context.session.proposals.propose(count=2, size=32, wait=False)
    qtbot.waitUntil(lambda: other.context.session.state.job is None, timeout=30_000)
    qtbot.waitUntil(lambda: other._binder.later.is_done)
    here, there = window.session.state, other.context.session.state
    assert here.schema != there.schema
    window.key(Qt.Key.Key_N)
    assert window.session.state.region_id != here.region_id
    assert other.context.session.state.region_id == there.region_id
    region = window.session.state.region.region
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    assert np.asarray(window.paint.data).any()
    assert not np.asarray(other.painter.layer.data).any()
    other.release()
    qtbot.wait(50)
    assert not [layer for layer in second.layers if layer.metadata.get("napari_active_seg")]
    before = window.session.state.counts["done"]
    window.key(Qt.Key.Key_D)  # the keys of the first go on
    assert window.session.state.counts["done"] == before + 1


def test_a_slide_shows_its_map_and_what_is_near_the_region(window, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_WHOLE_UP_TO", 40_000)
    monkeypatch.setattr(source, "_MOST_MAPPED", 12_000)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(2):
        image, mask = disk_picture(number, (300, 590))
        Image.fromarray(image).save(tmp_path / "images" / f"s{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"s{number}.png")
    made = create_project(
        tmp_path / "p",
        images_dir=tmp_path / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0),
    )
    window.open(made.folder)
    window.session.maintenance.configure(unpainted="unlabelled", samples=3)
    window.session.proposals.propose(count=6, size=48, wait=False)
    window.settle()
    window.finish_all(tmp_path)
    window.session.train(epochs=15, wait=False)
    window.settle()
    window.session.proposals.propose(count=3, size=48, wait=False)
    window.settle()
    queued = window.session.state.region
    window.qtbot.waitUntil(lambda: window.session.predictions.near(queued.region) is not None)
    window.settle()
    heat, outline = window.layer("uncertainty"), window.layer("prediction")
    assert tuple(heat.scale) == (4, 4) and heat.data.shape == (75, 147)
    assert tuple(heat.translate) == (1.5, 1.5)
    near = window.session.predictions.near(queued.region).region
    assert tuple(outline.scale) == (1, 1) and tuple(outline.translate) == (near.y, near.x)
    assert outline.visible and heat.visible
    colours = window.dock._extras.colours
    assert colours.isVisible() and "BALD" in colours.summary and colours.ends[0] == "0"
    window.key(Qt.Key.Key_A)
    draft = window.session.predictions.near(queued.region).crop_classes(queued.region)
    np.testing.assert_array_equal(np.asarray(window.paint.data), draft + 1)
    window.viewer.layers.selection.active = window.paint
    window.key(Qt.Key.Key_U)
    assert not heat.visible and not colours.isVisible()
