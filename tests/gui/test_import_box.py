"""Saves taken back, classes changed, tissue corrected, projects held: in a real window."""

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QInputDialog, QMessageBox
from tiny_data import disk_picture
from tiny_slides import half, scene, write_pages

from napari_active_seg.errors import ProjectError
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session.create_project import ImageSettings, create_project


def answer(button=None, text=None):
    """Answer the next dialog: press the button with these words, or type a text."""

    def press():
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(20, press)
        elif isinstance(dialog, QMessageBox):
            next(b for b in dialog.buttons() if b.text() == button).click()
        elif isinstance(dialog, QInputDialog):
            dialog.setTextValue(text)
            dialog.accept()

    QTimer.singleShot(20, press)


def stroke(window, row=8):
    region = window.session.state.region.region
    window.drag((region.y + row, region.x + 6), (region.y + row, region.x + 24))


def saved(window):
    """Wait until the state says that all is on the disk."""
    window.qtbot.wait(200)
    window.session.labels.flush()
    window.qtbot.wait(20)
    assert not window.session.state.unsaved


def test_the_state_says_saving_until_the_disk_has_the_stroke(proposed):
    window = proposed
    writes, real = [], window.session.project.labels.save

    def slow(*arguments, **facts):
        import threading
        import time

        time.sleep(0.3)
        writes.append(threading.current_thread().name)
        return real(*arguments, **facts)

    window.session.project.labels.save = slow
    stroke(window)
    window.qtbot.waitUntil(lambda: "Saving" in window.dock.status.text(), timeout=2000)
    window.qtbot.waitUntil(lambda: "Saving" not in window.dock.status.text(), timeout=5000)
    assert writes and set(writes) == {"active-seg-saver"}
    effort = window.session.labels.latest(window.session.state.region_id).effort
    assert (effort.strokes, effort.clicks, effort.undos) == (1, 1, 0)
    assert 0 < effort.active_s < 60


def test_undo_is_counted_and_a_fill_is_not(proposed):
    window = proposed
    stroke(window)
    window.dock.painter.fill_rest(0)
    window.paint.undo()
    saved(window)
    effort = window.session.labels.latest(window.session.state.region_id).effort
    assert (effort.strokes, effort.undos) == (2, 1)  # a fill is one deed, taken back once


def test_region_is_taken_back_to_an_earlier_save_by_the_button(proposed):
    window = proposed
    stroke(window)
    saved(window)
    before = np.array(window.paint.data)
    window.dock.painter.fill_rest(0)
    saved(window)
    panel = window.panel("Annotate")
    window.qtbot.waitUntil(lambda: panel.saves.list.count() == 2)
    panel.saves.list.setCurrentIndex(1)
    window.click(panel.saves.back)
    np.testing.assert_array_equal(window.paint.data, before)
    label = window.session.labels.latest(window.session.state.region_id)
    assert (label.target == 255).sum() == (before == 0).sum()
    stroke(window, row=20)  # and painting goes on from there
    saved(window)
    window.qtbot.waitUntil(lambda: panel.saves.list.count() == 4)


def test_done_is_undone_from_the_list_of_finished_regions(proposed):
    window = proposed
    first = window.session.state.region_id
    stroke(window)
    window.key(Qt.Key.Key_D)
    saved(window)
    assert window.session.state.region_id != first
    assert [queued.id for queued, _ in window.in_strip("done")] == [first]
    window.click_in_strip(first)
    annotate = window.panel("Annotate")
    assert annotate.reopen.isEnabled()
    window.click(annotate.reopen)
    assert window.session.state.region_id == first
    assert window.session.state.region.state is RegionState.IN_PROGRESS
    assert not annotate.reopen.isEnabled()


def test_classes_change_in_the_tab_and_the_paint_follows(proposed):
    window = proposed
    stroke(window)
    box = window.panel("Project").classes_box
    answer(text="lumen")
    window.click(box.add)
    assert window.session.state.schema.names == ("background", "disk", "lumen")
    assert box.list.count() == 3
    assert (np.asarray(window.paint.data) == 2).any()
    box.list.setCurrentRow(1)
    answer(text="cell")
    window.click(box.rename)
    assert window.session.state.schema.names[1] == "cell"
    box.list.setCurrentRow(1)
    window.click(box.up)
    assert window.session.state.schema.names == ("cell", "background", "lumen")
    assert (np.asarray(window.paint.data) == 1).any()
    assert not (np.asarray(window.paint.data) == 2).any()
    box.list.setCurrentRow(0)
    answer(text="lumen")
    window.click(box.merge)
    assert window.session.state.schema.names == ("background", "lumen")
    assert (np.asarray(window.paint.data) == 2).any()
    for _ in range(4):
        window.click(box.undo)
    assert window.session.state.schema.names == ("background", "disk")
    assert (np.asarray(window.paint.data) == 2).any()


def test_tissue_is_corrected_on_the_canvas_and_limits_the_next_regions(window, project_folder):
    window.open(project_folder)
    panel = window.panel("Propose")
    computed = window.session.maintenance.tissue(window.session.state.image_id)
    window.click(panel.tissue)
    layer = window.viewer.layers["Tissue"]
    layer.data[:] = 0
    layer.data[:24, :32] = 1
    layer.refresh()
    window.click(panel.tissue)
    assert "Tissue" not in [layer.name for layer in window.viewer.layers]
    image = window.session.state.image_id
    mask = window.session.maintenance.tissue(image)
    assert mask.sum() == 24 * 32
    window.session.proposals.propose(count=12, size=24, wait=False)
    window.settle()
    here = [q.region for q in window.session.state.queue if q.region.image_id == image]
    assert all(region.y < 24 and region.x < 32 for region in here if region.height == 24)
    window.session.select_image(image)
    window.click(panel.computed)
    assert (window.session.maintenance.tissue(image) == computed).all()


@pytest.mark.parametrize("answered", ["Open read-only", "Take it over", "Cancel"])
def test_person_decides_what_to_do_with_a_project_that_is_held(window, project_folder, answered):
    holder = Project.open(project_folder)
    answer(button=answered)
    window.open(project_folder)
    if answered == "Cancel":
        assert window.session is None
    elif answered == "Open read-only":
        assert window.session.state.read_only
        assert "Read-only" in window.dock.status.text()
        assert not window.panel("Propose").go.isEnabled()
    else:
        assert not window.session.state.read_only
        with pytest.raises(ProjectError, match="taken over"):
            holder.configure(annotator="late")
    holder.close()


def test_nothing_can_be_painted_in_a_read_only_window(proposed):
    window = proposed
    folder = window.session.project.folder
    stroke(window)
    saved(window)
    window.dock.context.close()
    holder = Project.open(folder)
    answer(button="Open read-only")
    window.open(folder)
    before = np.array(window.paint.data)
    assert (before == 2).any()
    stroke(window, row=20)
    np.testing.assert_array_equal(window.paint.data, before)
    holder.close()


def test_slide_is_shown_by_levels_and_painted_at_full_resolution(window, tmp_path):
    image = scene(1400, 1800)
    (tmp_path / "slides").mkdir()
    write_pages(tmp_path / "slides" / "s.tif", [image, half(image), half(half(image))])
    created = create_project(
        tmp_path / "p",
        images_dir=tmp_path / "slides",
        classes=["glass", "tissue"],
        settings=ImageSettings(val_fraction=0.0),
    )
    window.open(created.folder)
    layer = window.viewer.layers["s.tif"]
    assert layer.multiscale and len(layer.data) == 3
    window.session.proposals.propose(count=1, size=64, wait=False)
    window.settle()
    region = window.session.state.region.region
    stroke(window, row=30)
    saved(window)
    label = window.session.labels.latest(window.session.state.region_id)
    assert label.target.shape == (64, 64) and (label.target == 1).any()
    shown = np.asarray(layer.data[0][region.slices])
    np.testing.assert_array_equal(shown, image[region.slices])


def test_window_asks_before_it_closes_on_a_full_disk(proposed, monkeypatch):
    window = proposed

    def refuse(*_, **__):
        raise ProjectError("the disk is full; free some space")

    monkeypatch.setattr(window.session.project.labels, "save", refuse)
    stroke(window)
    window.qtbot.wait(250)
    answer(button="Stay and try again")
    assert window.dock.context.may_close() is False
    monkeypatch.undo()
    assert window.dock.context.may_close() is True  # there is room again: nothing is lost
    label = window.session.labels.latest(window.session.state.region_id)
    assert (label.target == 1).any()


def test_missing_images_are_named_and_found_by_the_button(window, project_folder, pool, tmp_path):
    away = tmp_path / "away"
    (pool / "images").rename(away)
    window.open(project_folder)
    box = window.panel("Project").care_box
    assert box.relink.isVisible() and "4 images are not where they were" in box.missing.text()
    assert window.session.state.image_id is None
    window.session.maintenance.relink(away, wait=False)
    window.settle()
    assert not box.relink.isVisible()
    window.session.select_image("img0.png")
    assert "img0.png" in [layer.name for layer in window.viewer.layers]


def test_lists_change_only_the_rows_that_differ(proposed):
    window = proposed
    images = window.panel("Project").images
    rows = [images.item(k) for k in range(images.count())]
    waiting = {images.key_of(row): row.text() for row in rows}
    image = window.session.state.image_id
    stroke(window)
    window.key(Qt.Key.Key_D)
    saved(window)
    assert [images.item(k) for k in range(images.count())] == rows  # the same rows, not new ones
    changed = [row for row in rows if row.text() != waiting[images.key_of(row)]]
    assert [images.key_of(row) for row in changed] == [image]
    assert len(window.in_strip()) == 3
    strip = window.panel("Annotate").strip
    assert strip.currentIndex().data(256).id == window.session.state.region_id


def test_replaced_images_are_taken_by_the_button_of_the_message(proposed, pool):
    """A training says which image was replaced, and the button below it takes the new file."""
    window = proposed
    window.finish_all(pool)
    image_id = window.session.project.images.all(Split.VALIDATION)[0].id
    Image.fromarray(disk_picture(77)[0]).save(pool / "images" / image_id)
    train, message = window.panel("Train"), window.dock.message
    window.session.maintenance.configure(steps=5)
    train.preset.value = "fast"
    window.click(train.go)
    window.qtbot.waitUntil(lambda: bool(message.remedies), timeout=60_000)
    assert f"labels may not fit: {image_id}; put the old files back" in message.text.text()
    (button,) = message.remedies
    assert button.text() == "Take the new files"
    window.click(button)
    window.settle()
    window.click(train.go)
    window.settle()
    assert window.session.state.model is not None


def test_a_replaced_image_on_screen_is_read_again_once_it_is_taken(proposed, pool):
    window = proposed
    image_id = window.session.state.image_id
    before = np.asarray(window.layer("image").data).copy()
    new = disk_picture(77)[0]
    assert new.shape == before.shape and not np.array_equal(new, before)
    Image.fromarray(new).save(pool / "images" / image_id)
    window.session.maintenance.accept_changed(wait=False)
    window.settle()
    np.testing.assert_array_equal(window.layer("image").data, new)
    assert window.session.state.missing == frozenset()
