"""Annotating as a person does it, with mouse and keys: tools, drafts, walks, and a crash."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_active_seg.project import Project
from napari_active_seg.regions import RegionState

SHIFT = Qt.KeyboardModifier.ShiftModifier


def paint(window):
    return np.asarray(window.paint.data)


def saved(window):
    """Return once the latest strokes are on the disk, by themselves."""
    window.qtbot.wait(200)
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=5000)


def stroke(window, row=8, start=8, end=24):
    region = window.session.state.region.region
    window.drag((region.y + row, region.x + start), (region.y + row, region.x + end))


@pytest.fixture
def on_disk(window, disks_project):
    """A window over a project whose regions hold clean disks on a plain ground."""
    window.open(disks_project)
    window.session.maintenance.configure(unpainted="unlabelled")
    window.session.proposals.propose(count=3, size=64, wait=False)
    window.settle()
    return window


@pytest.fixture
def disks_project(tmp_path):
    from PIL import Image

    from napari_active_seg.api import create_project

    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        y, x = np.ogrid[:160, :160]
        inside = np.zeros((160, 160), bool)
        for cy in (40, 120):
            for cx in (40, 120):
                inside |= (y - cy) ** 2 + (x - cx) ** 2 <= 22**2
        pixels = np.where(inside[..., None], (110, 60, 140), (225, 170, 200))
        noisy = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(images / f"disks{number}.png")
    made = create_project(tmp_path / "p", images_dir=images, classes=["ground", "disk"])
    return made.folder


@pytest.fixture
def with_model(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(epochs=20, wait=False)
    window.settle()
    window.session.proposals.propose(count=3, size=32, wait=False)
    window.settle()
    return window


# --- tools -----------------------------------------------------------------------------------


def inside_of(window, wanted):
    """Return a pixel of the current region that is (or is not) dark, away from any edge."""
    from scipy import ndimage

    region = window.session.state.region.region
    picture = np.asarray(window.layer("image").data)[region.slices].astype(float).mean(axis=2)
    dark = ndimage.gaussian_filter(picture, 2) < 150
    depth = ndimage.distance_transform_edt(dark == wanted)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y), int(x), dark


def test_smart_fill_takes_the_disk_under_the_cursor_in_one_stroke(on_disk):
    window = on_disk
    window.key(Qt.Key.Key_M)
    y, x, dark = inside_of(window, True)
    region = window.session.state.region.region
    window.click_at(region.y + y, region.x + x)
    found = paint(window) == 2
    assert found[y, x]
    from scipy import ndimage

    parts, _ = ndimage.label(dark)
    disk = parts == parts[y, x]
    assert 2 * (found & disk).sum() / (found.sum() + disk.sum()) > 0.9
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not paint(window).any()
    saved(window)


def test_a_drag_of_smart_fill_takes_more_and_shows_it_before_it_is_painted(on_disk):
    window = on_disk
    window.click(window.panel("Annotate").tools.tools["smart_fill"])
    y, x, _ = inside_of(window, True)
    region = window.session.state.region.region
    window.click_at(region.y + y, region.x + x)
    little = int((paint(window) == 2).sum())
    window.paint.undo()
    # so far to the right that every colour of the region is alike
    scale = window.viewer.scene.camera.zoom
    window.drag((region.y + y, region.x + x), (region.y + y, region.x + x + 700 / scale))
    assert (paint(window) == 2).sum() > little
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not paint(window).any()


def test_polygon_fill_and_erase_are_on_keys_and_stay_with_the_next_region(on_disk):
    window = on_disk
    for key, tool, mode in (
        (Qt.Key.Key_G, "polygon", "polygon"),
        (Qt.Key.Key_F, "fill", "fill"),
        (Qt.Key.Key_E, "erase", "erase"),
        (Qt.Key.Key_C, "brush", "paint"),
    ):
        window.key(key)
        assert window.dock.annotate.tools.tool == tool
        assert window.paint.mode == mode
    window.key(Qt.Key.Key_E)
    window.key(Qt.Key.Key_N)
    assert window.paint.mode == "erase"


def test_eraser_takes_paint_away_with_the_mouse(on_disk):
    window = on_disk
    stroke(window, row=20)
    assert paint(window).any()
    window.key(Qt.Key.Key_E)
    stroke(window, row=20, start=0, end=40)
    assert not paint(window)[20, 10:22].any()


def test_other_classes_are_kept_where_that_is_wanted(on_disk):
    window = on_disk
    stroke(window, row=20)
    mine = paint(window) == 2
    window.key(Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    window.click(window.panel("Annotate").tools.keep)
    assert window.paint.preserve_labels
    stroke(window, row=20, start=4, end=40)
    now = paint(window)
    assert (now[mine] == 2).all()
    assert (now == 1).any()
    window.key(Qt.Key.Key_Q)
    stroke(window, row=20, start=4, end=40)
    assert (paint(window)[mine] == 1).any()


def test_snap_moves_a_careless_edge_and_smooth_and_specks_tidy(on_disk):
    window = on_disk
    from scipy import ndimage

    y, x, dark = inside_of(window, True)
    parts, _ = ndimage.label(dark)
    disk = parts == parts[y, x]
    careless = ndimage.shift(disk.astype(float), (3, -3), order=0) > 0
    window.dock.painter.fill(np.where(careless, 1, 255).astype(np.uint8))
    before = (paint(window) == 2).copy()
    window.key(Qt.Key.Key_K)
    after = paint(window) == 2
    assert (after != disk).sum() < (before != disk).sum() / 2
    window.paint.data[2, 2] = 1
    window.paint.refresh()
    window.key(Qt.Key.Key_X)
    assert paint(window)[2, 2] == 0
    window.key(Qt.Key.Key_J)
    assert (paint(window) == 2).any()


def test_snap_without_paint_is_a_word_in_the_dock(on_disk):
    window = on_disk
    window.key(Qt.Key.Key_K)
    assert "nothing of this class" in window.dock.message.text.text().lower()
    assert window.dock.message.isVisible()
    window.click(window.dock.message.copy)
    from qtpy.QtGui import QGuiApplication

    copied = QGuiApplication.clipboard().text()
    assert "NothingToDoError" in copied and "napari-active-seg" in copied and "Python" in copied
    window.click(window.dock.message.away)
    assert not window.dock.message.isVisible()
    window.dock.message.show_error(PermissionError(13, "Permission denied", "/locked/out.csv"))
    told = window.dock.message.text.text()
    assert told == "/locked/out.csv: Permission denied; choose another place, or allow it there"
    window.dock.message.show_error(KeyError("x"))
    assert "made a mistake: KeyError" in window.dock.message.text.text()


def test_a_paint_layer_that_was_removed_comes_back_behind_the_tissue(on_disk):
    window = on_disk
    stroke(window)
    layer, painted = window.paint, paint(window).copy()
    assert painted.any()
    window.dock.annotate.edit_tissue(True)
    window.drawn()
    window.viewer.layers.remove(layer)
    window.dock.annotate.edit_tissue(False)
    window.drawn()
    assert layer in window.viewer.layers and window.viewer.layers.selection.active == layer
    assert (paint(window) == painted).all()


def test_the_whole_region_gets_the_class_in_hand(on_disk):
    window = on_disk
    window.key(Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    window.key(Qt.Key.Key_W)
    assert (paint(window) == 1).all()


def test_brush_is_resized_by_keys_and_keeps_its_size(on_disk):
    window = on_disk
    size = window.paint.brush_size
    window.key(Qt.Key.Key_Right)
    assert window.paint.brush_size > size
    larger = window.paint.brush_size
    window.key(Qt.Key.Key_N)
    assert window.paint.brush_size == larger
    window.key(Qt.Key.Key_Left)
    assert window.paint.brush_size < larger


# --- drafts ----------------------------------------------------------------------------------


def test_lasso_copies_the_prediction_inside_a_loop_alone(with_model):
    window = with_model
    region = window.session.state.region.region
    window.qtbot.waitUntil(lambda: window.session.prediction(region.image_id) is not None)
    draft = window.session.prediction(region.image_id).classes[region.slices] + 1
    window.key(Qt.Key.Key_O)
    loop = [(4, 4), (4, 26), (26, 26), (26, 4), (5, 4)]
    window.drag_along([(region.y + y, region.x + x) for y, x in loop])
    now = paint(window)
    assert (now[8:22, 8:22] == draft[8:22, 8:22]).all()
    assert not now[29:].any() and not now[:, 29:].any()
    saved(window)
    label = window.session.labels.latest(window.session.state.region_id)
    assert label.effort.begun == "prediction"


def test_a_region_that_began_empty_is_remembered_as_such(with_model):
    window = with_model
    stroke(window)
    saved(window)
    region_id = window.session.state.region_id
    assert window.session.labels.latest(region_id).effort.begun == "empty"
    window.key(Qt.Key.Key_A)
    saved(window)
    assert window.session.labels.latest(region_id).effort.begun == "prediction"


def test_blind_labels_owe_the_model_nothing(with_model):
    window = with_model
    panel = window.panel("Annotate")
    assert window.layer("uncertainty").visible
    panel.habits.blind.setChecked(True)
    window.qtbot.wait(50)
    assert not window.layer("uncertainty").visible
    assert not window.layer("prediction").visible
    assert not panel.tools.draft.isEnabled()
    assert all("score" not in tip for _, tip in window.in_strip())
    window.key(Qt.Key.Key_N)  # of the current region something was seen
    stroke(window)
    saved(window)
    region_id = window.session.state.region_id
    assert window.session.labels.latest(region_id).effort.begun == "blind"
    window.key(Qt.Key.Key_A)
    assert "blind" in window.dock.message.text.text()


# --- what is seen ----------------------------------------------------------------------------


def test_outside_is_dimmed_and_contours_lie_above_the_veil(with_model):
    window = with_model
    layers = list(window.viewer.layers)
    assert layers.index(window.layer("prediction")) > layers.index(window.layer("regions"))
    region = window.session.state.region.region
    corners, _, values = window.layer("regions").data
    hole = np.asarray(corners)[np.asarray(values) == 6][4:]
    assert hole.min(axis=0).tolist() == [region.y - 0.5, region.x - 0.5]
    assert hole.max(axis=0).tolist() == [region.bottom - 0.5, region.right - 0.5]
    window.panel("Annotate").see.dims.setChecked(False)
    assert (np.asarray(window.layer("regions").data[2]) < 6).all()


def test_percentile_fill_and_tissue_are_chosen_in_the_tab(with_model):
    window = with_model
    see = window.panel("Annotate").see
    before = window.layer("uncertainty").contrast_limits[1]
    see.clip.setValue(80)
    assert window.layer("uncertainty").contrast_limits[1] < before
    assert window.layer("prediction").contour == 2
    see.fills.setChecked(True)
    assert window.layer("prediction").contour == 0
    assert window.layer("tissue") is None
    see.tissue.setChecked(True)
    assert window.layer("tissue").visible and not window.layer("tissue").editable
    see.tissue.setChecked(False)
    assert not window.layer("tissue").visible


def test_where_two_models_disagree_is_a_layer(with_model, pool):
    window = with_model
    see = window.panel("Annotate").see
    assert not see.disagreement.isEnabled()
    window.finish_all(pool)
    window.session.train(epochs=5, accept_worse=True, wait=False)
    window.settle()
    window.session.predict(wait=False)
    window.settle()
    window.panel("Annotate")
    see.disagreement.setChecked(True)
    window.settle()
    layer = window.layer("disagreement")
    assert layer.visible and "m002 against m001" in layer.name
    assert layer.data.min() >= 0 and layer.data.max() <= 1


def test_the_pixel_under_the_mouse_is_told_in_the_dock(with_model):
    window = with_model
    region = window.session.state.region.region
    window.qtbot.waitUntil(lambda: window.session.prediction(region.image_id) is not None)
    QTest.mouseMove(window.canvas.native, window.on_canvas(region.y + 5, region.x + 5))
    window.qtbot.wait(80)
    QTest.mouseMove(window.canvas.native, window.on_canvas(region.y + 8, region.x + 9))
    window.qtbot.wait(80)
    said = window.dock.hover.text()
    assert "background" in said and "BALD" in said


def test_scale_bar_tells_pixels_or_micrometres_and_the_magnification(on_disk):
    window = on_disk
    assert window.dock._extras.scale.summary.endswith("px")
    window.session.maintenance.set_spacing(0.5)
    window.key(Qt.Key.Key_N)
    words = window.dock._extras.scale.summary
    assert "µm" in words and words.endswith("x")


def test_most_uncertain_place_comes_to_the_middle(with_model):
    window = with_model
    image_id = window.session.state.image_id
    window.qtbot.waitUntil(lambda: window.session.prediction(image_id) is not None)
    window.key(Qt.Key.Key_Y)
    y, x = window.session.navigation.to_most_uncertain()
    np.testing.assert_allclose(window.viewer.scene.camera.center[-2:], (y, x))


# --- keys ------------------------------------------------------------------------------------


def test_question_mark_shows_the_keys_and_any_key_puts_them_away(on_disk):
    window = on_disk
    helped = window.dock._extras.help
    QTest.keyClicks(window.canvas.native, "?")
    assert helped.isVisible() and "Shift+D" in helped.text()
    before = window.session.state.region_id
    window.key(Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    assert not helped.isVisible()
    assert window.session.state.region_id == before


def test_keys_are_changed_in_the_dialog_and_hold_at_once(on_disk, preferences):
    from napari_active_seg.gui.annotate.shortcuts import ACTIONS
    from napari_active_seg.gui.annotate.shortcuts_dialog import KeysDialog

    window = on_disk
    dialog = KeysDialog(window.dock.context, window.dock)
    dialog.show()
    dialog.table.setCurrentCell(list(ACTIONS).index("skip"), 0)
    QTest.keyClick(dialog.table, Qt.Key.Key_D, SHIFT)  # done's
    assert "done" in dialog.said.text()
    QTest.keyClick(dialog.table, Qt.Key.Key_F6, SHIFT)
    for hand in ("left", "right"):
        dialog.hand.setCurrentIndex(dialog.hand.findData(hand))
        dialog.hand.activated.emit(dialog.hand.currentIndex())
        assert window.dock.context.preferences.now.hand == hand
        assert window.dock.context.preferences.now.keys == {"skip": "Shift-F6"}
    dialog.close()
    order = [q.id for q in window.session.state.open_regions]
    window.key(Qt.Key.Key_S)  # no longer a key
    assert window.session.state.region_id == order[0]
    window.key(Qt.Key.Key_F6)
    assert window.session.project.regions.get(order[0]).state is RegionState.SKIPPED
    assert '"skip": "Shift-F6"' in preferences.read_text()


def test_left_hand_has_keys_of_its_own(on_disk):
    window = on_disk
    window.dock.context.preferences.change(hand="left")
    before = window.session.state.region_id
    window.key(Qt.Key.Key_L)  # skip, for the left hand
    saved(window)
    assert window.session.project.regions.get(before).state is RegionState.SKIPPED


def test_keys_of_somebody_else_are_left_alone(make_napari_viewer, qtbot, project_folder):
    pressed = []
    viewer = make_napari_viewer(show=True)
    viewer.bind_key("Shift-Z", lambda _: pressed.append("theirs"))
    mine = viewer.add_image(np.zeros((8, 8)), name="mine")
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    dock.context.open(project_folder)
    viewer.layers.selection.active = mine
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.keyClick(canvas, Qt.Key.Key_Z, SHIFT)
    assert pressed == ["theirs"]
    dock.release()
    QTest.keyClick(canvas, Qt.Key.Key_Z, SHIFT)
    assert pressed == ["theirs", "theirs"]
    assert mine in viewer.layers


# --- the strip -------------------------------------------------------------------------------


def test_strip_sorts_filters_and_makes_pictures_in_the_background(with_model):
    window = with_model
    panel = window.panel("Annotate")
    model = panel.strip.model()
    first = model.index(0)
    decoration = Qt.ItemDataRole.DecorationRole
    window.qtbot.waitUntil(lambda: first.data(decoration) is not None, timeout=5000)
    panel.by.setCurrentText("most uncertain")
    scores = [q.information for q, _ in window.in_strip()]
    assert scores == sorted(scores, reverse=True)
    panel.by.setCurrentText("in turn")
    assert {q.state for q, _ in window.in_strip("done")} == {RegionState.DONE}
    everything = [q.id for q, _ in window.in_strip("all")]
    assert everything[:3] == [q.id for q in window.session.state.open_regions]
    here = {q.region.image_id for q, _ in window.in_strip("this image")}
    assert here == {window.session.state.image_id}


def test_a_picture_carries_heat_where_there_is_a_prediction(with_model):
    from napari_active_seg.session.thumbnails import Thumbnails

    window = with_model
    window.session.predict(wait=False)
    window.settle()
    queued = window.session.state.region
    made = Thumbnails(window.session.project, side=24).make(queued, measure="bald")
    assert made.pixels.shape[:2] == made.heat.shape == (24, 24)
    assert made.heat.max() > 0
    plain = Thumbnails(window.session.project, side=24).make(queued, measure=None)
    assert plain.heat is None
    np.testing.assert_array_equal(plain.pixels, made.pixels)


def test_back_and_next_buttons_walk_the_queue(on_disk):
    window = on_disk
    order = [q.id for q in window.session.state.open_regions]
    panel = window.panel("Annotate")
    window.click(panel.next)
    assert window.session.state.region_id == order[1]
    window.click(panel.back)
    assert window.session.state.region_id == order[0]


# --- crash -----------------------------------------------------------------------------------


def test_after_a_crash_it_opens_at_the_same_region_tool_class_and_tab(on_disk, preferences):
    window = on_disk
    window.panel("Annotate")
    window.key(Qt.Key.Key_N)
    window.key(Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    window.key(Qt.Key.Key_M)
    stroke(window)
    saved(window)
    folder, place = window.session.project.folder, window.session.state.region_id
    mine = paint(window).copy()
    # as a killed window leaves it: nothing is closed, nothing is flushed
    import shutil

    copy = folder.with_name("after the crash")
    shutil.copytree(folder, copy)
    window.dock.context.close()
    window.dock.tabs.setCurrentIndex(0)
    window.open(copy)
    assert window.session.state.region_id == place
    np.testing.assert_array_equal(paint(window), mine)
    assert window.dock.annotate.tools.tool == "smart_fill"
    assert window.paint.selected_label == 1
    assert window.dock.tabs.tabText(window.dock.tabs.currentIndex()) == "Annotate"


def test_unpainted_pixels_are_asked_about_once_and_shown(on_disk, monkeypatch):
    from napari_active_seg.gui.annotate import actions

    window, asked = on_disk, []
    window.session.maintenance.configure(unpainted=None)

    def answer(_parent, share, names, _not_labelled):
        asked.append((share, names))
        return "ground"

    monkeypatch.setattr(actions, "ask_unpainted", answer)
    for _ in range(2):
        region_id = window.session.state.region_id
        stroke(window)
        window.key(Qt.Key.Key_D)
        saved(window)
        label = window.session.labels.latest(region_id)
        assert label.state is RegionState.DONE
        assert set(np.unique(label.target)) == {0, 1}
    assert len(asked) == 1
    assert asked[0][0] > 0.5
    assert window.panel("Annotate").habits.unpainted.currentText() == "ground"


def test_name_is_asked_for_by_a_line_until_it_is_given(
    make_napari_viewer, qtbot, tmp_path, monkeypatch, project_folder
):
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_SETTINGS", str(tmp_path / "none yet.json"))
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    dock.context.open(project_folder)
    qtbot.wait(50)
    assert dock.name_bar.isVisible()
    QTest.keyClicks(dock.name_bar.line, "Ben")
    QTest.mouseClick(dock.name_bar.keep, Qt.MouseButton.LeftButton)
    assert not dock.name_bar.isVisible()
    assert dock.context.session.project.config.annotator == "Ben"
    dock.release()
    with Project.open(project_folder, read_only=True) as project:
        assert project.config.annotator == "Ben"
    viewer.window.remove_dock_widget("all")
    _, again = viewer.window.add_plugin_dock_widget("napari-active-seg")
    assert not again.name_bar.isVisible()
    again.release()


def test_done_without_a_stroke_adds_no_save_and_keeps_the_numbers_of_objects(on_disk):
    from napari_active_seg.regions import Effort

    window = on_disk
    window.session.maintenance.configure(unpainted="ground")
    queued = window.session.state.region
    objects = np.zeros((64, 64), np.int32)
    objects[:32], objects[32:] = 1, 2
    window.session.project.labels.save(
        queued.id, np.ones((64, 64), np.uint8), state=RegionState.IN_PROGRESS,
        annotator="masks", effort=Effort(), objects=objects,
    )  # fmt: skip
    window.key(Qt.Key.Key_N)
    window.key(Qt.Key.Key_B)
    assert window.session.state.region_id == queued.id
    window.key(Qt.Key.Key_D)
    saved(window)
    label = window.session.labels.latest(queued.id)
    assert label.state is RegionState.DONE
    np.testing.assert_array_equal(label.objects, objects)
    assert len(window.session.labels.history(queued.id)) == 1


def test_no_thread_is_left_when_the_dock_is_put_away(on_disk):
    import threading

    on_disk.in_strip("all")

    def making_pictures():
        return [t for t in threading.enumerate() if t.name == "active-seg-strip"]

    on_disk.qtbot.waitUntil(lambda: len(making_pictures()) == 1, timeout=5000)
    on_disk.dock.release()
    assert making_pictures() == []
