"""The click tool: what clicks, keys and boxes mean, and a real helper in a real window."""

from types import SimpleNamespace

import numpy as np
import pytest
from psygnal import emit_queued
from qtpy.QtCore import Qt
from scipy import ndimage
from tiny_sam import save_tiny_sam

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.gui.annotate.click_tool import Clicking
from napari_active_seg.regions import Region

REGION = Region("a", 100, 200, 60, 80)


class ByColour:
    """Takes the dark area under each click, leaves out what is clicked out, stays in the box."""

    def set_image(self, image):
        return ndimage.label(image[..., 0] < 128)[0]

    def segment(self, seen, hints):
        wanted = {seen[round(y), round(x)] for y, x in hints.inside}
        if hints.box is not None:
            top, left, bottom, right = (round(v) for v in hints.box)
            wanted |= set(np.unique(seen[top : bottom + 1, left : right + 1]))
        unwanted = {seen[round(y), round(x)] for y, x in hints.outside}
        return np.isin(seen, list(wanted - unwanted - {0}))


class Scene:
    """A slide with two dark squares in the region, at (10, 10) and (10, 50)."""

    shape = (300, 400)

    def read(self, level, y, x, height, width):
        image = np.full((*self.shape, 3), 255, np.uint8)
        image[110:120, 210:220] = image[110:120, 250:260] = 0
        return image[y : y + height, x : x + width]


@pytest.fixture
def clicking(qtbot):
    made = Clicking(lambda where: ByColour(), lambda: "a helper", on_failed=pytest.fail)
    made.look(REGION, lambda image_id: Scene())
    qtbot.waitUntil(lambda: heard() and made.is_ready(REGION))
    return made


def heard():
    """Hand on what threads have told; a dock does so by itself."""
    emit_queued()
    return True


def event(at, *keys):
    return SimpleNamespace(pos=np.array(at, float), modifiers=keys)


def click(clicking, paint, place, *keys, label=1):
    return clicking.begin(REGION, place, event((0, 0), *keys), paint, label)(event((0, 0)), place)


def test_a_click_paints_the_object_under_it_in_the_class_in_hand(clicking):
    paint = click(clicking, np.zeros(REGION.shape, np.uint8), (12, 12), label=2)
    assert (paint[10:20, 10:20] == 2).all() and (paint > 0).sum() == 100


def test_shift_adds_to_the_object_and_alt_takes_away(clicking):
    paint = click(clicking, np.zeros(REGION.shape, np.uint8), (12, 12))
    both = click(clicking, paint, (15, 55), "Shift")
    assert (both > 0).sum() == 200
    one = click(clicking, both, (12, 12), "Alt")
    assert (one[10:20, 50:60] == 1).all() and (one > 0).sum() == 100


def test_an_object_that_was_painted_over_is_not_taken_up_again(clicking):
    paint = click(clicking, np.zeros(REGION.shape, np.uint8), (12, 12))
    paint[40:44, 40:44] = 2
    added = click(clicking, paint, (15, 55), "Shift")
    assert (added[40:44, 40:44] == 2).all() and (added == 1).sum() == 200


def test_other_classes_are_kept_where_that_is_wanted(clicking):
    paint = np.zeros(REGION.shape, np.uint8)
    paint[:15] = 2
    painted = clicking.begin(REGION, (17, 12), event((0, 0)), paint, 1, keeps_others=True)
    after = painted(event((0, 0)), (17, 12))
    assert (after[:15] == 2).all() and (after == 1).sum() == 50


def test_a_drag_is_a_box(clicking):
    empty = np.zeros(REGION.shape, np.uint8)
    painted = clicking.begin(REGION, (5, 5), event((0, 0)), empty, 1)
    after = painted(event((90, 40)), (25, 70))
    assert (after > 0).sum() == 200


def test_until_it_has_looked_a_click_says_so(qtbot):
    made = Clicking(lambda where: ByColour(), lambda: "a helper", on_failed=pytest.fail)
    with pytest.raises(NothingToDoError, match="is looking at this region"):
        click(made, np.zeros(REGION.shape, np.uint8), (12, 12))


def test_without_a_helper_it_is_said_where_one_is_chosen(qtbot):
    made = Clicking(lambda where: ByColour(), lambda: "", on_failed=pytest.fail)
    with pytest.raises(NothingToDoError, match="Click helper"):
        made.look(REGION, lambda image_id: Scene())


def test_a_helper_that_cannot_be_loaded_is_told_once(qtbot, tmp_path):
    from napari_active_seg.api import load_click_helper
    from napari_active_seg.errors import ModelError

    told = []
    made = Clicking(load_click_helper, lambda: str(tmp_path), on_failed=told.append)
    made.look(REGION, lambda image_id: Scene())
    qtbot.waitUntil(lambda: heard() and bool(told))
    assert isinstance(told[0], ModelError) and "config.json" in str(told[0])


def test_a_checkpoint_outlines_in_the_window_and_undo_takes_it_back(proposed, tmp_path):
    window = proposed
    window.dock.context.preferences.change(click_helper=str(save_tiny_sam(tmp_path / "sam")))
    window.panel("Annotate")
    window.key(
        Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    assert window.dock.annotate.tools.tool == "click"
    clicking = window.dock.annotate._clicking
    region = window.session.state.region.region
    window.qtbot.waitUntil(lambda: clicking.is_ready(region), timeout=60_000)
    before = np.array(window.paint.data)
    window.drag((region.y + 6, region.x + 6), (region.y + 26, region.x + 26))
    after = np.array(window.paint.data)
    assert after.shape == before.shape and not before.any()
    assert after.any()
    window.paint.undo()
    assert not np.array(window.paint.data).any()
