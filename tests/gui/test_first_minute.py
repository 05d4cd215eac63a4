"""From a folder that is dropped to a first region, and choosing again, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.gui.panels import propose as propose_panel
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import Project


def drop(widget, path):
    """Drop a file or folder as a file manager does."""
    from qtpy.QtWidgets import QApplication

    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    entered = QDragEnterEvent(widget.rect().center(), copy, data, button, keys)
    QApplication.sendEvent(widget, entered)
    assert entered.isAccepted()
    dropped = QDropEvent(QPointF(widget.rect().center()), copy, data, button, keys)
    QApplication.sendEvent(widget, dropped)


def test_a_dropped_folder_becomes_a_project_and_its_first_regions_cover_the_pool(window, pool):
    drop(window.dock, pool / "images")
    assert window.dock.tabs.tabText(window.dock.tabs.currentIndex()) == "Project"
    new = window.panel("Project").new
    window.qtbot.waitUntil(lambda: "4 images of" in new.found.text(), timeout=10_000)
    window.click(new.advanced.toggle)
    assert new.spacing.visible  # the files do not say it
    new.template.value = "skin, lesion"
    assert new.classes.value == "skin, lesion"
    new.unpainted.value = "skin"
    new.spacing.value = 5
    window.click(new.make)
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    project = window.session.project
    assert project.schema.names == ("skin", "lesion")
    assert project.config.unpainted == "skin"
    assert {ref.spacing for ref in project.images.all()} == {(5.0, 5.0)}
    assert project.folder == pool / "images-project"
    panel = window.panel("Propose")
    panel.amount.value, panel.size.value = 3, 32
    window.click(panel.go)
    window.settle()
    window.click(panel.label)
    assert window.dock.tabs.tabText(window.dock.tabs.currentIndex()) == "Annotate"
    chosen = [q for q in window.session.state.open_regions if q.kind is RegionKind.INITIAL]
    assert len(chosen) >= 2
    assert all("stands for" in q.reason for q in chosen)
    region = window.session.state.region.region
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    window.key(Qt.Key.Key_D)  # asks nothing
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=5000)
    done = [
        q for q in window.session.state.queue if q.state == "done" and q.kind is RegionKind.INITIAL
    ]
    assert len(done) == 1
    assert set(np.unique(window.session.labels.latest(done[0].id).target)) == {0, 1}


def test_a_folder_without_images_is_told_and_nothing_is_made(window, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no picture")
    drop(window.dock, tmp_path / "notes")
    window.qtbot.waitUntil(lambda: window.dock.message.isVisible(), timeout=10_000)
    assert "No usable image" in window.dock.message.text.text()


def test_a_dropped_project_is_opened(window, project_folder):
    drop(window.dock, project_folder / "project.json")
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=5000)
    assert window.session.project.folder == project_folder


@pytest.fixture
def with_queue(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(epochs=20, wait=False)
    window.settle()
    window.session.maintenance.configure(control=0, validation=0)
    window.session.proposals.propose(count=4, size=32, wait=False)
    window.settle()
    return window


def places(session):
    return [q.region for q in session.state.queue if q.round == session.state.round]


def test_another_measure_chooses_untouched_regions_anew_and_keeps_the_one_in_hand(with_queue):
    window = with_queue
    panel = window.panel("Propose")
    panel.size.value = 32
    in_hand = window.session.state.region_id
    before = {q.id for q in window.session.state.open_regions}
    panel.measure.value = "random"  # ranks otherwise for certain
    window.qtbot.wait(400)
    window.settle()
    after = {q.id for q in window.session.state.open_regions}
    assert in_hand in after and window.session.state.region_id == in_hand
    assert len(after) == len(before) and after & before == {in_hand}
    panel.again.setChecked(False)
    panel.measure.value = "bald"
    window.qtbot.wait(400)
    window.settle()
    assert {q.id for q in window.session.state.open_regions} == after


def test_window_and_command_line_propose_the_same_by_one_file(with_queue, tmp_path, monkeypatch):
    import json
    import shutil

    from typer.testing import CliRunner

    from napari_active_seg.cli.main import app

    window = with_queue
    panel, saved = window.panel("Propose"), tmp_path / "mine.yaml"
    panel.again.setChecked(False)
    panel.strategy.value, panel.size.value = "power-regions", 32
    monkeypatch.setattr(propose_panel, "ask_new_file", lambda *_: saved)
    window.click(panel.files.findChildren(type(panel.go))[1])
    assert "diversity: power" in saved.read_text()
    folder = window.session.project.folder
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setattr(propose_panel, "ask_file", lambda *_: saved)
    window.click(panel.files.findChildren(type(panel.go))[0])
    assert panel.strategy.value == "mine"
    panel.amount.value = 5
    window.click(panel.go)
    window.settle()
    here = [(r.image_id, r.y, r.x) for r in places(window.session)]
    with Project.open(tmp_path / "copy", take_over=True):
        pass
    told = CliRunner().invoke(
        app,
        ["propose", str(tmp_path / "copy"), "--strategy", str(saved), "--count", "5", "--json"],
    )
    assert told.exit_code == 0, told.output
    regions = json.loads(told.stdout)["regions"]
    assert [(r["image"], r["y"], r["x"]) for r in regions] == here


def test_training_begins_by_itself_and_leaves_the_brush_alone(with_queue, pool):
    window = with_queue
    panel = window.panel("Train")
    panel.after.value = 1
    assert window.session.project.config.train_after == 1
    window.dock.painter.fill_rest(1)
    window.key(Qt.Key.Key_D)
    window.qtbot.waitUntil(lambda: JobKind.TRAIN in window.session.state.jobs, timeout=5000)
    in_hand = window.session.state.region
    region = in_hand.region
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    mine = np.asarray(window.paint.data).copy()
    assert mine.any()
    window.settle()
    assert len(window.session.state.models) == 2
    assert window.session.state.region_id == in_hand.id
    np.testing.assert_array_equal(window.paint.data, mine)
    assert panel.live.losses
