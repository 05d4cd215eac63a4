from functools import partial

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_active_seg.gui.layers.sync import ROLE_KEY
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, RegionState


def roles(viewer):
    return [layer.metadata.get(ROLE_KEY) for layer in viewer.layers]


def test_dock_opens_without_a_project_and_offers_to_open_one(window):
    assert window.dock.tabs.count() == 6
    assert "Open a project" in window.dock.status.text()
    assert not window.panel("Train").isEnabled()
    assert window.panel("Project").isEnabled()


def test_project_is_made_from_the_form(window, pool, tmp_path):
    panel = window.panel("Project")
    new = panel.new
    new.images_dir.line_edit.value = str(pool / "images")
    window.qtbot.waitUntil(lambda: "4 images" in new.found.text(), timeout=10_000)
    new.folder.line_edit.value = str(tmp_path / "made here")
    new.classes.value = "background, disk"
    texts = [new.unpainted.native.itemText(k) for k in range(4)]
    assert texts == ["ask me", "ignored", "background", "disk"]
    assert new.unpainted.current_choice == "ask me"
    new.unpainted.value = "background"
    window.click(new.make)
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    assert window.session.project.config.unpainted == "background"
    assert window.session.project.config.annotator == "Anna"
    assert window.session.state.project == "made here"
    assert window.session.state.schema.names == ("background", "disk")
    assert "image" in roles(window.viewer)


def test_wrong_form_is_a_message_and_nothing_is_made(window, pool, tmp_path):
    panel, told = window.panel("Project"), []
    window.dock.context.failed.connect(told.append)
    window.click(panel.new.make)
    panel.new.images_dir.line_edit.value = str(pool / "images")
    panel.new.folder.line_edit.value = str(tmp_path / "p")
    panel.new.classes.value = "disk, disk"
    window.click(panel.new.make)
    window.qtbot.waitUntil(lambda: len(told) == 2, timeout=20_000)
    assert ["choose a folder" in str(e) or "twice" in str(e) for e in told] == [True, True]
    assert window.session is None
    assert not (tmp_path / "p").exists()


def test_regions_are_proposed_by_the_button_and_framed(window, project_folder):
    window.open(project_folder)
    panel = window.panel("Propose")
    panel.amount.value, panel.size.value = 3, 32
    window.click(panel.go)
    window.settle()
    assert len(window.session.state.open_regions) == 3
    assert window.panel("Annotate").strip.model().rowCount() == 3
    region = window.session.state.region.region
    assert window.paint.data.shape == (32, 32)
    assert tuple(window.paint.translate) == (region.y, region.x)
    assert window.viewer.layers.selection.active == window.paint
    centre = window.viewer.scene.camera.center[-2:]
    np.testing.assert_allclose(centre, (region.y + 15.5, region.x + 15.5), atol=1)


def test_dragging_paints_inside_the_region_and_saves_the_stroke(proposed):
    window = proposed
    queued = window.session.state.region
    y, x = queued.region.y, queued.region.x
    window.drag((y + 8, x + 8), (y + 8, x + 24))
    painted = np.asarray(window.paint.data)
    assert (painted[8, 10:22] == 2).all()
    assert (painted[28:] == 0).all()

    def saved():
        label = window.session.labels.latest(queued.id)
        return label is not None and (label.target[8, 10:22] == 1).all()

    window.qtbot.waitUntil(saved, timeout=3000)  # by itself, shortly after the stroke
    with Project.open(window.session.project.folder, read_only=True) as reader:
        label = reader.labels.latest(queued.id)
        assert (label.target[28:] == UNLABELLED).all()
        assert label.state is RegionState.IN_PROGRESS
        assert label.effort.strokes >= 1
        assert label.effort.changed_px == np.count_nonzero(label.target != UNLABELLED)


def test_dragging_outside_the_region_changes_nothing(proposed):
    window = proposed
    queued = window.session.state.region
    pictures = [layer for layer in window.viewer.layers if not isinstance(layer.data, tuple)]
    shown = [layer.data.copy() for layer in pictures]
    y, x = queued.region.y - 12, queued.region.x + 4
    window.drag((y, x), (y, x + 20))
    now = [layer.data for layer in pictures]
    assert all(np.array_equal(a, b) for a, b in zip(shown, now, strict=True))
    assert window.session.labels.latest(queued.id) is None


def test_undo_takes_a_stroke_back_and_the_disk_follows(proposed):
    window = proposed
    queued = window.session.state.region
    y, x = queued.region.y, queued.region.x
    window.drag((y + 8, x + 8), (y + 8, x + 24))
    window.dock.painter.save()
    assert window.session.labels.latest(queued.id).labelled_pixels > 0
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.dock.painter.save()
    assert np.asarray(window.paint.data).max() == 0
    assert window.session.labels.latest(queued.id).labelled_pixels == 0


def test_undo_never_reaches_back_into_the_region_before(proposed):
    window = proposed
    first = window.session.state.region
    window.drag((first.region.y + 8, first.region.x + 8), (first.region.y + 8, first.region.x + 24))
    window.key(Qt.Key.Key_D)
    assert window.session.state.region_id != first.id
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.dock.painter.save()
    assert np.asarray(window.paint.data).max() == 0
    assert window.session.labels.latest(first.id).labelled_pixels > 0


def test_keys_answer_while_the_paint_layer_has_the_focus(proposed):
    window = proposed
    order = [q.id for q in window.session.state.open_regions]
    window.key(Qt.Key.Key_S)
    window.key(Qt.Key.Key_T)
    window.key(Qt.Key.Key_L)
    states = {q.id: q.state for q in window.session.state.queue}
    assert [states[i] for i in order[:3]] == [
        RegionState.SKIPPED,
        RegionState.CANT_TELL,
        RegionState.LATER,
    ]
    assert window.session.state.region_id == order[3]


def test_class_buttons_choose_and_fill(proposed):
    window = proposed
    panel = window.panel("Annotate")
    background = panel.tools.class_grid.itemAtPosition(0, 0).widget()
    rest = panel.tools.class_grid.itemAtPosition(0, 1).widget()
    window.click(background)
    assert window.paint.selected_label == 1
    window.key(Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    assert window.paint.selected_label == 2
    y, x = window.session.state.region.region.y, window.session.state.region.region.x
    window.drag((y + 8, x + 8), (y + 8, x + 24))
    window.click(rest)
    painted = np.asarray(window.paint.data)
    assert set(np.unique(painted)) == {1, 2}
    assert (painted[8, 10:22] == 2).all()


def test_training_in_the_background_shows_prediction_and_uncertainty(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    assert window.session.state.job is JobKind.TRAIN
    assert window.dock.stop.isEnabled()
    window.settle()
    assert window.panel("Train").models.rowCount() == 1
    assert window.panel("Trust").scores.rowCount() >= 6
    window.click(window.panel("Propose").predict)
    window.settle()
    shown = {layer.metadata.get(ROLE_KEY): layer for layer in window.viewer.layers}
    assert shown["uncertainty"].name == "BALD [nats]"
    assert shown["uncertainty"].visible
    assert not shown["prediction"].editable
    before = shown["uncertainty"].data.copy()
    panel = window.panel("Propose")
    panel.measure.value = "entropy"
    window.qtbot.wait(20)
    assert "entropy" in shown["uncertainty"].name
    assert not np.array_equal(before, shown["uncertainty"].data)


def test_draft_fills_what_is_empty_and_keeps_what_is_painted(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(epochs=20, wait=False)
    window.settle()
    window.session.proposals.propose(count=2, size=32, wait=False)
    window.settle()
    region = window.session.state.region.region
    prediction = window.session.prediction(region.image_id).classes[region.slices]
    window.dock.painter.choose_class(int(1 - prediction[8, 16]))
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    mine = np.asarray(window.paint.data).copy()
    window.key(Qt.Key.Key_A)
    now = np.asarray(window.paint.data)
    assert (now[mine > 0] == mine[mine > 0]).all()
    assert (now[mine == 0] == prediction[mine == 0] + 1).all()


def test_stop_button_stops_training_and_leaves_no_model(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(preset="unet", epochs=10_000, wait=False)
    window.qtbot.wait(300)
    assert window.session.state.job is JobKind.TRAIN
    window.click(window.dock.stop)
    window.settle(20_000)
    assert window.session.state.model is None


def test_layers_of_the_person_are_left_alone_and_ours_come_back(proposed, pool):
    window = proposed
    own = window.viewer.add_points(np.array([[5, 5]]), name="mine")
    window.finish_all(pool)
    others = [i for i in window.session.state.image_ids if i != window.session.state.image_id]
    window.session.select_image(others[0])
    assert own in window.viewer.layers
    image = next(x for x in window.viewer.layers if x.metadata.get(ROLE_KEY) == "image")
    window.viewer.layers.remove(image)
    window.session.select_image(others[1])
    assert roles(window.viewer).count("image") == 1
    window.dock.context.close()
    assert list(window.viewer.layers) == [own]


def test_a_lap_leaks_no_layers(proposed, pool):
    window = proposed
    counts = []
    for _ in range(3):
        window.finish_all(pool)
        window.session.proposals.propose(count=3, size=16, wait=False)
        window.settle()
        counts.append(len(window.viewer.layers))
    assert counts[0] == counts[-1]


def test_reopened_project_lands_on_the_same_region_with_every_stroke(proposed):
    window = proposed
    queued = window.session.state.region
    y, x = queued.region.y, queued.region.x
    window.drag((y + 8, x + 8), (y + 8, x + 24))
    painted = np.asarray(window.paint.data).copy()
    folder = window.session.project.folder
    window.dock.context.close()  # at once: the debounced save must not be lost
    window.open(folder)
    assert window.session.state.region_id == queued.id
    assert (np.asarray(window.paint.data) == painted).all()


def test_dropped_project_folder_opens_in_the_dock(window, project_folder):
    window.viewer.open(str(project_folder), plugin="napari-active-seg")
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=10_000)
    assert window.session.project.folder == project_folder
    assert roles(window.viewer).count("image") == 1


def test_dock_opens_the_project_that_was_read_before_it(make_napari_viewer, project_folder, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.open(str(project_folder / "project.json"), plugin="napari-active-seg")
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    qtbot.waitUntil(lambda: dock.context.session is not None, timeout=10_000)
    assert dock.context.session.project.folder == project_folder
    dock.release()


def test_queue_click_goes_to_the_region(proposed):
    target = proposed.session.state.open_regions[2]
    proposed.in_strip()
    proposed.click_in_strip(target.id)
    assert proposed.session.state.region_id == target.id
    assert tuple(proposed.paint.translate) == (target.region.y, target.region.x)


def test_export_from_the_tab(proposed, pool, tmp_path):
    window = proposed
    window.finish_all(pool)
    panel = window.panel("Export")
    panel.folder.line_edit.value = str(tmp_path / "out")
    window.click(panel.go)
    window.settle()
    assert (tmp_path / "out" / "regions.csv").is_file()
    panel.format.value, panel.cut.value, panel.overwrite.value = "coco", "regions", True
    window.click(panel.go)
    window.settle()
    assert (tmp_path / "out" / "annotations" / "instances_train.json").is_file()


def test_the_model_over_a_folder_from_the_tab(proposed, pool, tmp_path):
    window = proposed
    panel = window.panel("Export")
    assert not panel.apply.isEnabled()  # there is no model yet
    window.finish_all(pool)
    window.session.train(preset="fast", wait=False)
    window.settle()
    panel.source.line_edit.value = str(pool / "images")
    panel.target.line_edit.value = str(tmp_path / "said")
    window.click(panel.apply)
    window.settle()
    n_images = len(list((pool / "images").glob("*.png")))
    assert len(list((tmp_path / "said" / "probabilities").glob("*.tif"))) == n_images
    assert (tmp_path / "said" / "objects.csv").is_file()


def fits(panel, viewport):
    """Return whether a panel is no wider than its viewport; a new one takes a moment to settle."""
    return panel.width() <= viewport.width()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_tab_is_wider_than_the_dock(proposed, theme):
    window = proposed
    window.viewer.theme = theme
    for title in ("Project", "Propose", "Annotate", "Train", "Trust", "Export"):
        panel = window.panel(title)
        scroll = panel.parentWidget().parentWidget()
        window.qtbot.waitUntil(partial(fits, panel, scroll.viewport()), timeout=2000)
        for child in panel.findChildren(QWidget):
            if child.isVisible():
                right = child.mapTo(panel, child.rect().topRight()).x()
                assert right <= panel.width(), (title, child)


def stroke(window):
    queued = window.session.state.region
    y, x = queued.region.y, queued.region.x
    window.drag((y + 8, x + 8), (y + 8, x + 24))
    return queued.id, np.asarray(window.paint.data).copy()


def test_closing_the_window_at_once_keeps_the_last_stroke(proposed):
    folder = proposed.session.project.folder
    region_id, painted = stroke(proposed)
    assert painted.any()
    proposed.viewer.close()
    with Project.open(folder, read_only=True) as reader:
        assert np.count_nonzero(reader.labels.latest(region_id).target == 1) == (painted > 0).sum()


def test_closing_the_dock_puts_the_project_away_and_it_opens_again(proposed, qtbot):
    viewer, folder = proposed.viewer, proposed.session.project.folder
    region_id, painted = stroke(proposed)
    viewer.window.remove_dock_widget(proposed.dock)
    proposed.dock.close()
    assert proposed.dock.context.session is None
    assert len(viewer.layers) == 0
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    dock.context.open(folder)
    assert dock.context.session.state.region_id == region_id
    assert (np.asarray(dock.painter.layer.data) == painted).all()
    dock.release()


def test_refused_weights_are_a_message_and_the_window_goes_on(
    window, project_folder, pool, monkeypatch, tmp_path
):
    def refused(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refused)
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_WEIGHTS", str(tmp_path))
    window.open(project_folder)
    window.session.proposals.propose(count=2, size=32, wait=False)
    window.settle()
    window.finish_all(pool)
    panel, told = window.panel("Train"), []
    window.dock.context.failed.connect(told.append)
    panel.preset.value = "deeplabv3plus"
    window.click(panel.go)
    window.settle()
    assert "resnet50-11ad3fa6.pth" in str(told[0])
    assert "train from scratch" in str(told[0])
    assert window.session.state.job is None
    panel.preset.value = "fast"
    window.click(panel.go)
    window.settle()
    assert window.session.state.model.id == "m001"
    assert "started from random weights" in panel.hint.text()


def test_opinions_are_chosen_in_the_window(window, project_folder):
    window.open(project_folder)
    panel = window.panel("Propose")
    assert panel.uncertainty_from.value == "dropout"
    panel.uncertainty_from.value = "views"
    assert window.session.project.config.inference.uncertainty_from == "views"
