"""The canvas: who has the keyboard, where paint may land, and how overlays are shown."""

import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractItemView, QApplication, QComboBox, QDockWidget

from napari_active_seg.gui.annotate.napari_keys import list_napari_keys
from napari_active_seg.gui.annotate.shortcuts import ACTIONS, CLASS_KEYS, KeyBook, describe_key
from napari_active_seg.jobs import JobKind
from napari_active_seg.regions import LabelSchema, RegionState

SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
BARE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def active(proposed):
    """A window with regions to label that has the keyboard of the machine."""
    window = proposed
    window.dock.window().activateWindow()
    window.qtbot.waitUntil(window.dock.window().isActiveWindow, timeout=10_000)
    window.panel("Annotate")
    window.drawn()
    return window


@pytest.fixture
def predicted(active, pool):
    """The same with a model, its maps over the image, and three regions that wait."""
    window = active
    window.finish_all(pool)
    window.session.train(epochs=20, wait=False)
    window.settle()
    window.session.proposals.propose(count=3, size=32, wait=False)
    window.settle()
    window.qtbot.waitUntil(
        lambda: window.session.prediction(window.session.state.image_id) is not None
    )
    window.drawn()
    return window


def press(window, key, modifier=SHIFT):
    """Press a key on whatever widget has the keyboard."""
    QTest.keyClick(QApplication.focusWidget(), key, modifier)
    window.drawn()


def visible_child(widget, kind):
    return next(child for child in widget.findChildren(kind) if child.isVisible())


def napari_dock(window, name):
    return window.dock.window().findChild(QDockWidget, name)


def paint(window):
    return np.asarray(window.paint.data)


def region_of(window):
    return window.session.state.region.region


# --- the keyboard ----------------------------------------------------------------------------


def check_keys_arrive(window):
    """Press a letter, an undo and a class, wherever the keyboard is, and see that they work."""
    before = window.session.state.region_id
    press(window, Qt.Key.Key_N)
    assert window.session.state.region_id != before
    press(window, Qt.Key.Key_1, ALT)
    assert window.paint.selected_label == 1
    press(window, Qt.Key.Key_2, ALT)
    assert window.paint.selected_label == 2
    press(window, Qt.Key.Key_E)
    assert window.dock.annotate.tools.tool == "erase"
    QTest.keyClicks(QApplication.focusWidget(), "?")
    assert window.dock._extras.help.isVisible()
    press(window, Qt.Key.Key_Escape, BARE)


def test_keys_work_after_a_click_into_the_strip(active):
    active.click_in_strip(active.session.state.open_regions[1].id)
    assert QApplication.focusWidget() is active.canvas.native
    check_keys_arrive(active)


@pytest.fixture
def _quick_clicks():
    """Let a list that has just opened take a click at once: Qt waits for a double click."""
    usual = QApplication.doubleClickInterval()
    QApplication.setDoubleClickInterval(1)
    yield
    QApplication.setDoubleClickInterval(usual)


@pytest.mark.usefixtures("_quick_clicks")
def test_keys_work_after_a_choice_in_a_combo_box(active):
    box = active.panel("Annotate").shown
    QTest.mouseClick(box, Qt.MouseButton.LeftButton)
    active.qtbot.waitUntil(box.view().isVisible)
    at = box.view().visualRect(box.model().index(1, 0)).center()
    QTest.mouseMove(box.view().viewport(), at)
    active.qtbot.wait(20)
    QTest.mouseClick(box.view().viewport(), Qt.MouseButton.LeftButton, pos=at)
    active.qtbot.waitUntil(lambda: not box.view().isVisible())
    active.drawn()
    assert box.currentIndex() == 1
    assert QApplication.focusWidget() is active.canvas.native
    check_keys_arrive(active)


@pytest.mark.parametrize("name", ["list", "button", "check box", "slider", "tab"])
def test_keys_work_after_a_click_on(active, name):
    if name == "list":
        widget = active.panel("Project").classes_box.list.viewport()
    elif name == "tab":
        widget = active.dock.tabs.tabBar()
    else:
        panel = active.panel("Annotate")
        widget = {
            "button": panel.tools.tools["fill"],
            "check box": panel.tools.keep,
            "slider": panel.tools.brush,
        }[name]
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    active.drawn()
    assert QApplication.focusWidget() is active.canvas.native
    check_keys_arrive(active)


def test_keys_work_after_a_click_into_naparis_layer_list(active):
    window = active
    layers = visible_child(napari_dock(window, "layer list"), QAbstractItemView)
    QTest.mouseClick(
        layers.viewport(),
        Qt.MouseButton.LeftButton,
        pos=layers.visualRect(layers.model().index(0, 0)).center(),
    )
    window.drawn()
    assert QApplication.focusWidget() is layers  # napari's own keys go on working there
    assert window.viewer.layers.selection.active == window.paint
    check_keys_arrive(window)


def test_keys_work_after_a_click_into_naparis_layer_controls(active):
    window = active
    box = visible_child(napari_dock(window, "layer controls"), QComboBox)
    box.setFocus(Qt.FocusReason.MouseFocusReason)
    check_keys_arrive(window)


def test_a_field_keeps_the_keyboard_until_enter_or_a_click_elsewhere(active):
    window = active
    amount = window.panel("Propose").amount.native
    QTest.mouseClick(amount, Qt.MouseButton.LeftButton)
    window.drawn()
    assert QApplication.focusWidget() is not window.canvas.native
    before = window.session.state.region_id
    press(window, Qt.Key.Key_N)
    assert window.session.state.region_id == before
    press(window, Qt.Key.Key_Return, BARE)
    assert QApplication.focusWidget() is window.canvas.native
    QTest.mouseClick(amount, Qt.MouseButton.LeftButton)
    QTest.mouseClick(window.dock.tabs.tabBar(), Qt.MouseButton.LeftButton)
    window.drawn()
    assert QApplication.focusWidget() is window.canvas.native
    check_keys_arrive(window)


def test_tab_reaches_a_button_and_leaves_the_keyboard_there(active):
    window = active
    panel = window.panel("Annotate")
    panel.by.setFocus(Qt.FocusReason.TabFocusReason)
    window.drawn()
    QTest.mouseClick(window.panel("Propose").amount.native, Qt.MouseButton.LeftButton)
    press(window, Qt.Key.Key_Tab, BARE)
    assert QApplication.focusWidget() is not window.canvas.native
    assert window.dock.isAncestorOf(QApplication.focusWidget())


def test_space_and_drag_move_the_image_with_every_tool(active):
    window = active
    region = region_of(window)
    for tool in ("brush", "smart_fill", "polygon"):
        window.dock.annotate.choose_tool(tool)
        mode, centre = window.paint.mode, window.viewer.scene.camera.center
        QTest.keyPress(window.canvas.native, Qt.Key.Key_Space, BARE)
        window.drag((region.y + 16, region.x + 16), (region.y + 20, region.x + 4))
        QTest.keyRelease(window.canvas.native, Qt.Key.Key_Space, BARE)
        window.qtbot.wait(20)
        assert window.viewer.scene.camera.center != centre, tool
        assert not paint(window).any(), tool
        assert window.paint.mode == mode
        window.dock.annotate.zoom()
        window.qtbot.wait(20)
    window.click_at(region.y + 16, region.x + 16)
    window.dock.annotate.choose_tool("smart_fill")
    window.click_at(region.y + 16, region.x + 16)
    assert paint(window).any()


# --- which keys ------------------------------------------------------------------------------


@pytest.mark.parametrize("hand", ["right", "left"])
def test_no_key_of_ours_is_one_of_naparis(window, hand):
    used = list_napari_keys(window.dock)
    assert used["Alt+C"] == "Copy Screenshot to Clipboard"
    assert used["Alt+F"] == "the File menu"
    assert used["Shift+V"] == "toggle unselected visibility"
    assert {"Ctrl+Z", "Shift+Up", "Ctrl+Shift+T", "Ctrl+M", "P", "Space"} <= set(used)
    keys = KeyBook(hand).keys
    assert len(set(keys.values())) == len(ACTIONS)
    assert not {describe_key(key) for key in (*keys.values(), *CLASS_KEYS)} & set(used)


@pytest.mark.parametrize(
    ("key", "modifier", "purpose"),
    [
        (Qt.Key.Key_C, ALT, "Copy Screenshot to Clipboard"),
        (Qt.Key.Key_L, ALT, "the Layers menu"),
        (Qt.Key.Key_V, SHIFT, "toggle unselected visibility"),
        (Qt.Key.Key_S, ALT | SHIFT, "Save Screenshot with Viewer"),
        (Qt.Key.Key_Z, CONTROL, "undo"),
        (Qt.Key.Key_3, ALT, "paint a class"),
    ],
)
def test_the_dialog_names_what_a_refused_key_is_used_for(window, key, modifier, purpose):
    from napari_active_seg.gui.annotate.shortcuts_dialog import KeysDialog

    dialog = KeysDialog(window.dock.context, window.dock)
    dialog.show()
    dialog.table.setCurrentCell(list(ACTIONS).index("skip"), 0)
    QTest.keyClick(dialog.table, key, modifier)
    assert purpose in dialog.said.text()
    assert window.dock.context.preferences.now.keys == {}
    dialog.close()


def test_a_chosen_key_is_not_taken_by_the_default_of_another_action():
    done = []
    book = KeyBook("right", {"skip": "Control-Shift-R"})
    does = {name: lambda name=name: done.append(name) for name in ("skip", "rest")}
    book.bindings(does)["Control-Shift-R"]()
    assert done == ["skip"]


def test_rest_becomes_background_and_undo_takes_it_back(active):
    window = active
    region = region_of(window)
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    mine = paint(window).copy()
    press(window, Qt.Key.Key_R, CONTROL | SHIFT)
    assert (paint(window)[mine == 0] == 1).all() and (paint(window)[mine > 0] == 2).all()
    press(window, Qt.Key.Key_Z, CONTROL)
    assert (paint(window) == mine).all()


def test_regions_are_proposed_and_a_model_is_trained_by_keys(active, pool):
    window = active
    n_before = len(window.session.state.queue)
    window.panel("Propose").size.value = 16
    press(window, Qt.Key.Key_N, CONTROL | SHIFT)
    window.settle()
    assert len(window.session.state.queue) > n_before
    assert window.session.state.queue[-1].region.height == 16
    window.finish_all(pool)
    press(window, Qt.Key.Key_L, CONTROL | SHIFT)
    assert window.session.state.job is JobKind.TRAIN
    window.settle()
    assert window.session.state.model is not None


def test_the_help_lists_the_new_keys_and_how_to_pan(active):
    QTest.keyClicks(active.canvas.native, "?")
    text = active.dock._extras.help.text()
    assert all(key in text for key in ("Ctrl+Shift+R", "Ctrl+Shift+N", "Ctrl+Shift+L", "Space"))


# --- where paint may land --------------------------------------------------------------------


def try_to_paint(window, layer):
    """Select a layer, ask for its brush as a person does, and drag over the image."""
    window.viewer.layers.selection.active = layer
    window.qtbot.wait(20)
    before = np.array(layer.data)
    QTest.keyClick(window.canvas.native, Qt.Key.Key_P)
    window.qtbot.wait(20)
    region = region_of(window)
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    assert np.array_equal(before, layer.data)
    assert not layer.editable
    assert layer.mode == "pan_zoom"


def test_nobody_paints_on_labels_so_far_the_prediction_or_the_tissue(predicted):
    window = predicted
    window.panel("Annotate").see.tissue.setChecked(True)
    window.drawn()
    for role in ("labels", "prediction", "tissue"):
        try_to_paint(window, window.layer(role))
    region = region_of(window)
    window.viewer.layers.selection.active = window.paint
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    window.key(Qt.Key.Key_D)  # the data of both are replaced
    window.drawn()
    window.viewer.dims.ndisplay = 3
    window.viewer.dims.ndisplay = 2
    for role in ("labels", "prediction", "tissue"):
        layer = window.layer(role)
        layer.visible = False
        layer.visible = True
        try_to_paint(window, layer)


def test_no_layer_but_the_paint_can_be_edited_or_moved(predicted):
    window = predicted
    window.key(Qt.Key.Key_N)
    window.drawn()
    for role in ("image", "labels", "uncertainty", "regions", "prediction"):
        layer = window.layer(role)
        layer.mode = "transform"
        assert not layer.editable and layer.mode == "pan_zoom", role
    window.paint.mode = "transform"
    assert window.paint.mode == "paint"


@pytest.mark.parametrize("tool", ["smart_fill", "fill", "polygon", "lasso", "brush"])
def test_a_click_or_a_drag_outside_of_the_frame_does_nothing(predicted, tool):
    window = predicted
    window.dock.annotate.choose_tool(tool)
    region = region_of(window)
    inside = (region.y + 16, region.x + 16)
    for place in ((region.y - 12, region.x + 8), (region.y + 16, region.right + 12)):
        window.click_at(*place)
        window.drag(place, (place[0] + 2, place[1] + 3))
        assert not paint(window).any()
    if tool == "lasso":
        window.drag_along([(region.y - 12, region.x), inside, (region.bottom + 9, region.x + 9)])
        assert not paint(window).any()
    if (
        tool == "polygon"
    ):  # no corner is kept of the clicks outside: three inside make no quadrangle
        corners = [(4, 4), (4, 24), (24, 24)]
        for y, x in corners:
            window.click_at(region.y + y, region.x + x)
        QTest.keyClick(window.canvas.native, Qt.Key.Key_Return)
        window.qtbot.wait(20)
        painted = paint(window) > 0
        assert painted[5:20, 22].all() and not painted[20, 4:12].any() and not painted[:3].any()


def test_the_corners_of_an_open_polygon_do_not_follow_to_the_next_region(active):
    window = active
    window.dock.annotate.choose_tool("polygon")
    region = region_of(window)
    for y, x in ((2, 2), (2, 28), (28, 28)):
        window.click_at(region.y + y, region.x + x)
    window.key(Qt.Key.Key_N)
    QTest.keyClick(window.canvas.native, Qt.Key.Key_Return)
    window.qtbot.wait(20)
    assert not paint(window).any()


def test_delete_leaves_our_layers_and_what_is_painted(active):
    window = active
    region = region_of(window)
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    mine, layers = paint(window).copy(), list(window.viewer.layers)
    press(window, Qt.Key.Key_Delete, CONTROL)
    assert list(window.viewer.layers) == layers
    window.viewer.layers.select_all()
    listed = visible_child(napari_dock(window, "layer list"), QAbstractItemView)
    QTest.keyClick(listed, Qt.Key.Key_Delete)
    window.drawn()
    assert list(window.viewer.layers) == layers
    assert (paint(window) == mine).all()


def test_a_removed_paint_layer_comes_back_with_its_paint_and_can_be_painted_on(active):
    window = active
    region = region_of(window)
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    mine, layer = paint(window).copy(), window.paint
    window.viewer.layers.remove(layer)
    window.drawn()
    assert layer in window.viewer.layers
    assert window.viewer.layers.selection.active == layer
    window.drag((region.y + 24, region.x + 8), (region.y + 24, region.x + 24))
    assert (paint(window)[mine > 0] == 2).all() and (paint(window)[24, 10:22] == 2).all()


def test_other_layers_of_ours_come_back_at_the_next_region(predicted):
    window = predicted
    roles = ("image", "labels", "uncertainty", "regions", "prediction")
    assert len({q.region.image_id for q in window.session.state.open_regions}) >= 1
    for role in roles:
        window.viewer.layers.remove(window.layer(role))
    assert window.dock._extras.colours.isHidden()
    here = window.session.state.image_id
    window.key(Qt.Key.Key_N)
    window.key(Qt.Key.Key_B)  # surely on the same image as before
    window.drawn()
    assert window.session.state.image_id == here
    assert all(window.layer(role) is not None for role in roles)
    assert [layer.metadata.get("napari_active_seg") for layer in window.viewer.layers] == [
        *roles, "paint",
    ]  # fmt: skip


def test_a_removed_tissue_mask_ends_its_editing(active):
    window = active
    panel = window.panel("Propose")
    panel.tissue.click()
    window.drawn()
    mask = window.viewer.layers.selection.active
    assert mask.name == "Tissue" and mask.editable
    window.viewer.layers.remove(mask)
    window.drawn()
    assert not window.dock.annotate.edits_tissue and not panel.tissue.isChecked()
    assert window.viewer.layers.selection.active == window.paint


# --- overlays --------------------------------------------------------------------------------


def test_opacity_is_chosen_in_the_tab_and_remembered(predicted, preferences):
    window = predicted
    see = window.panel("Annotate").see
    see.prediction_opacity.setValue(40)
    see.uncertainty_opacity.setValue(30)
    assert window.layer("prediction").opacity == pytest.approx(0.4)
    assert window.layer("uncertainty").opacity == pytest.approx(0.3)
    see.fills.setChecked(True)
    assert 0 < window.layer("prediction").opacity < 0.4
    kept = json.loads(preferences.read_text())
    assert (kept["prediction_opacity"], kept["uncertainty_opacity"]) == (0.4, 0.3)
    folder = window.session.project.folder
    window.dock.context.close()
    window.open(folder)
    window.drawn()
    assert window.layer("uncertainty").opacity == pytest.approx(0.3)


def test_maps_are_shown_and_hidden_by_box_key_and_eye_alike(predicted, preferences):
    window = predicted
    see = window.panel("Annotate").see
    for role, box, key in (
        ("prediction", see.prediction, Qt.Key.Key_P),
        ("uncertainty", see.uncertainty, Qt.Key.Key_U),
    ):
        assert box.isChecked() and window.layer(role).visible
        window.key(key)
        assert not box.isChecked() and not window.layer(role).visible
        assert json.loads(preferences.read_text())[f"shows_{role}"] is False
        box.click()
        assert window.layer(role).visible
        window.layer(role).visible = False  # the eye in napari's list
        assert not box.isChecked()
        window.key(Qt.Key.Key_N)
        window.drawn()
        assert not window.layer(role).visible
        box.click()
        window.layer(role).opacity = 0.5  # napari's own slider
    assert see.uncertainty_opacity.value() == 50


def test_uncertainty_is_off_inside_the_region_that_is_painted_alone(predicted):
    window = predicted

    def shown(region):
        return np.asarray(window.layer("uncertainty").data)[region.slices].max()

    first = window.session.state.region
    limits = tuple(window.layer("uncertainty").contrast_limits)
    assert shown(first.region) == 0
    assert np.asarray(window.layer("uncertainty").data).max() > 0
    whole = window.session.prediction(first.region.image_id)
    window.drag((first.region.y + 8, first.region.x + 8), (first.region.y + 8, first.region.x + 24))
    assert shown(first.region) == 0
    window.key(Qt.Key.Key_D)
    window.drawn()
    window.session.select_region(first.id)  # to look at it: it is done
    window.drawn()
    assert window.session.state.region.state is RegionState.DONE
    assert shown(first.region) > 0
    assert tuple(window.layer("uncertainty").contrast_limits) == limits
    assert whole is window.session.prediction(first.region.image_id)


def test_background_is_faint_so_that_tissue_is_seen(active):
    window = active
    window.key(Qt.Key.Key_1, ALT)
    window.key(Qt.Key.Key_W)
    background, disk = (window.paint.colormap.map(np.array([k]))[0] for k in (1, 2))
    assert background[3] * window.paint.opacity < 0.25
    assert disk[3] == 1
    picture = window.viewer.window.screenshot(canvas_only=True, flash=False)
    tissue = np.asarray(window.layer("image").data)[region_of(window).slices].mean(axis=(0, 1))
    middle = picture[picture.shape[0] // 2 - 20 :, picture.shape[1] // 2 - 20 :][:40, :40, :3]
    assert np.abs(middle.mean(axis=(0, 1)) - tissue).max() < 60


def test_background_is_found_by_its_name():
    def background(*names):
        return LabelSchema.from_names(names).background

    assert background("gland", "Background") == 1
    assert background("skin", "lesion") == 0
    assert background("other", "tumour", "stroma") == 0
    assert background("a", "b") == 0
    assert background("tumour", "stroma", "necrosis") is None


def test_retraining_by_itself_is_offered_once(predicted, preferences):
    window = predicted
    panel = window.panel("Train")
    window.drawn()
    assert panel.offer.isVisible()
    window.click(panel.accept)
    assert window.session.project.config.train_after == panel.after.value == 5
    assert not panel.offer.isVisible()
    panel.after.value = 0
    window.panel("Annotate")
    window.panel("Train")
    window.click(panel.decline)
    assert not panel.offer.isVisible()
    assert json.loads(preferences.read_text())["offers_retraining"] is False
    window.session.proposals.propose(count=1, size=16, wait=False)
    window.settle()
    assert not panel.offer.isVisible()


def test_retraining_is_not_offered_before_there_is_a_model(active):
    panel = active.panel("Train")
    active.drawn()
    assert not panel.offer.isVisible()
