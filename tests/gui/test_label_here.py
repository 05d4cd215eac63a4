"""Label here: a person places regions by mouse and keys, where nothing was proposed."""

import re
import shutil

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tiny_slides import half, scene, write_pages

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.api import create_project
from napari_active_seg.project import PLACED_EVENT, WITHDRAWN_EVENT, Project, Split
from napari_active_seg.regions import Region, RegionState

ALT = Qt.KeyboardModifier.AltModifier


def pool_image(window, number=0):
    return window.session.project.images.all(Split.POOL)[number].id


def show(window, image_id):
    """Show an image with no region selected, all of it on the canvas."""
    window.session.select_image(image_id)
    window.drawn()
    window.viewer.reset_view(layers=[window.layer("image")], margin=0.05)
    window.qtbot.wait(30)
    return window.panel("Annotate")


def move(window, y, x):
    QTest.mouseMove(window.canvas.native, window.on_canvas(y, x))
    window.qtbot.wait(40)


def outlined(window):
    """Return the rectangle (y, x, height, width) that is outlined in white, the next region."""
    corners, _, values = window.layer("regions").data
    ghost = corners[values == values.max()] if (values > 6).any() else None
    if ghost is None:
        return None
    (top, left), (bottom, right) = ghost.min(axis=0), ghost.max(axis=0)
    line = window.dock._binder._line
    return tuple(round(v) for v in (top + line + 0.5, left + line + 0.5,
                                    bottom - top - 2 * line, right - left - 2 * line))  # fmt: skip


@pytest.fixture
def opened(window, project_folder):
    """A window over a project without a model, without a queue, with regions of 32 pixels."""
    window.open(project_folder)
    window.session.maintenance.configure(unpainted="unlabelled", region_size=32)
    return window


def test_click_places_a_square_on_an_image_without_a_region(opened, tmp_path):
    """No model, no queue: place, paint, finish; a copy taken without closing has it all."""
    window = opened
    panel = show(window, pool_image(window))
    assert not panel.tools.isEnabled() and "Label here" in panel.about.text()
    window.click(panel.label_here)
    assert panel.label_here.isChecked()
    move(window, 40, 60)
    assert outlined(window) == (24, 44, 32, 32)
    move(window, 3, 126)  # moved into the image
    assert outlined(window) == (0, 96, 32, 32)
    move(window, 50, 60)
    window.click_at(50, 60)
    window.drawn()
    queued = window.session.state.region
    assert queued.region == Region(pool_image(window), 34, 44, 32, 32)
    assert queued.kind is RegionKind.MANUAL
    assert not panel.label_here.isChecked() and outlined(window) is None
    assert panel.tools.isEnabled() and "Chosen by you" in panel.about.text()
    ((in_strip, tip),) = window.in_strip("own regions")
    assert in_strip.id == queued.id and "(own region)" in tip and "Chosen by you" in tip
    index = panel.strip.model().index(0)
    assert index.data(Qt.ItemDataRole.DisplayRole) == "chosen by you"
    window.drag((44, 50), (56, 70))
    assert (np.asarray(window.paint.data) == 2).any()
    window.click(panel.answers[RegionState.DONE])
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=10_000)
    assert window.session.state.done_in_pool[0].id == queued.id
    assert window.panel("Train") and window.session.labels.so_far(pool_image(window)).min() == 1
    copy = tmp_path / "after a crash"
    shutil.copytree(window.session.project.folder, copy)
    with Project.open(copy, read_only=True) as again:
        (kept,) = [q for q in again.regions.queue() if q.kind is RegionKind.MANUAL]
        assert kept.state is RegionState.DONE and kept.placed_by == "Anna"
        (event,) = again.events.of(kept.id, what=PLACED_EVENT)
        assert event.annotator == "Anna"


def test_key_twice_places_one_behind_the_current_region_and_skip_discards_it(proposed):
    window = proposed
    window.session.maintenance.configure(region_size=32)
    first, second = (q.id for q in window.session.state.open_regions[:2])
    place = free_spot(window)
    window.viewer.reset_view(layers=[window.layer("image")], margin=0.05)
    move(window, *place)
    window.key(Qt.Key.Key_R, ALT)
    ghost = outlined(window)
    assert ghost is not None and window.panel("Annotate").label_here.isChecked()
    window.key(Qt.Key.Key_R, ALT)
    own = window.session.state.region
    assert (own.region.y, own.region.x, *own.region.shape) == ghost
    assert [q.id for q in window.session.state.open_regions[:3]] == [first, own.id, second]
    window.key(Qt.Key.Key_N)
    assert window.session.state.region_id == second
    window.key(Qt.Key.Key_B)
    assert window.session.state.region_id == own.id
    window.key(Qt.Key.Key_S)
    assert own.id not in [q.id for q in window.session.state.queue]
    assert window.session.state.region_id == first  # where the person came from
    (gone,) = window.session.project.events.named(WITHDRAWN_EVENT)
    assert gone.subject == own.id and gone.annotator == "Anna"
    window.key(Qt.Key.Key_S)  # a proposed one is skipped as ever
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=10_000)
    assert window.session.project.regions.get(first).state is RegionState.SKIPPED


def free_spot(window, side=32):
    """Return the middle of a square of the image on screen that no region touches."""
    state = window.session.state
    height, width = window.session.project.images.ref(state.image_id).shape
    here = [q.region for q in state.queue]
    return next(
        (y + side // 2, x + side // 2)
        for y in range(0, height - side, 4)
        for x in range(0, width - side, 4)
        if not any(Region(state.image_id, y, x, side, side).overlaps(r) for r in here)
    )


def test_drag_draws_a_box_that_ends_at_borders_and_regions_and_escape_cancels(opened):
    window = opened
    image_id = pool_image(window)
    panel = show(window, image_id)
    window.click(panel.label_here)
    move(window, 40, 40)
    assert outlined(window) is not None
    QTest.keyClick(window.canvas.native, Qt.Key.Key_Escape)
    window.qtbot.wait(20)
    assert not panel.label_here.isChecked() and outlined(window) is None
    window.click(panel.label_here)
    main = panel.window()
    main.activateWindow()
    window.qtbot.waitUntil(main.isActiveWindow, timeout=5000)
    QTest.keyClick(panel.label_here, Qt.Key.Key_Escape)  # the focus is in the dock
    assert not panel.label_here.isChecked()
    window.click_at(40, 40)
    assert window.session.state.region is None
    window.click(panel.label_here)
    window.drag((30, 90), (70, 140))  # beyond the right border
    window.drawn()
    first = window.session.state.region
    assert first.region == Region(image_id, 30, 90, 41, 38)
    window.viewer.reset_view(layers=[window.layer("image")], margin=0.05)
    window.qtbot.wait(30)
    window.click(panel.label_here)
    window.drag((40, 20), (90, 110))  # into the first
    window.drawn()
    second = window.session.state.region
    assert second.region == Region(image_id, 40, 20, 51, 70)
    assert not np.asarray(window.paint.data).any()  # the brush painted nothing meanwhile
    window.viewer.reset_view(layers=[window.layer("image")], margin=0.05)
    window.qtbot.wait(30)
    window.click(panel.label_here)
    window.drag((3, 3), (9, 60))
    text = window.dock.message.text.text()
    assert re.match(r"A region needs 16 x 16 pixels at least, this one has \d x \d\d: ", text)
    assert panel.label_here.isChecked()  # to try another place
    assert window.session.state.region_id == second.id


def test_a_click_in_a_region_selects_it(proposed):
    window = proposed
    first = window.session.state.open_regions[0]
    window.click(window.panel("Annotate").tools.whole)
    window.key(Qt.Key.Key_D)
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=10_000)
    panel = show(window, first.region.image_id)
    window.click(panel.label_here)
    window.click_at(first.region.y + 10, first.region.x + 10)
    window.drawn()
    assert window.session.state.region_id == first.id
    assert panel.reopen.isEnabled() and not panel.label_here.isChecked()
    assert len(window.session.state.proposed_regions) == 4
    window.click(panel.reopen)
    assert window.session.state.region.state is RegionState.IN_PROGRESS


def test_labels_that_came_with_the_image_are_selected_to_be_corrected(opened, pool):
    window = opened
    image_id = pool_image(window)
    window.session.labels.import_from(pool / "masks", wait=False)
    window.settle()
    panel = show(window, image_id)
    window.click(panel.label_here)
    window.click_at(50, 60)
    window.drawn()
    queued = window.session.state.region
    assert queued.kind is RegionKind.IMPORTED and queued.region.image_id == image_id
    window.click(panel.reopen)
    assert (np.asarray(window.paint.data) > 0).all()
    window.click(panel.answers[RegionState.DONE])
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=10_000)
    assert window.session.project.regions.get(queued.id).state is RegionState.DONE
    assert not [q for q in window.session.state.queue if q.kind is RegionKind.MANUAL]


def test_an_image_that_measures_the_model_is_refused(opened):
    window = opened
    image_id = window.session.project.images.all(Split.VALIDATION)[0].id
    panel = show(window, image_id)
    window.click(panel.label_here)
    text = window.dock.message.text.text()
    assert "is set aside to measure the model (validation)" in text and "bias" in text
    assert not panel.label_here.isChecked()
    show(window, pool_image(window))
    window.click(panel.label_here)
    assert panel.label_here.isChecked()
    window.session.select_image(image_id)  # another image ends it
    window.drawn()
    assert not panel.label_here.isChecked()


def test_space_moves_the_view_and_another_layer_ends_it(opened):
    window = opened
    panel = show(window, pool_image(window))
    mine = window.viewer.add_points(np.zeros((1, 2)), name="mine")
    window.click(panel.label_here)
    native = window.canvas.native
    before = tuple(window.viewer.scene.camera.center)
    QTest.keyPress(native, Qt.Key.Key_Space)
    window.drag((40, 40), (60, 60))
    QTest.keyRelease(native, Qt.Key.Key_Space)
    window.qtbot.wait(20)
    assert tuple(window.viewer.scene.camera.center) != before
    assert window.session.state.region is None and panel.label_here.isChecked()
    window.viewer.layers.selection.active = mine
    assert not panel.label_here.isChecked()
    window.click_at(50, 50)
    assert window.session.state.region is None and mine in window.viewer.layers


def test_on_a_slide_it_is_placed_in_pixels_of_the_full_resolution(window, tmp_path):
    image = scene()
    (tmp_path / "slides").mkdir()
    write_pages(tmp_path / "slides" / "s.tif", [image, half(image), half(half(image))])
    made = create_project(
        tmp_path / "p", images_dir=tmp_path / "slides", classes=["ground", "thing"]
    )
    window.open(made.folder)
    window.session.maintenance.configure(region_size=64)
    panel = window.panel("Annotate")
    layer = window.layer("slide")
    assert layer.multiscale
    window.viewer.reset_view(layers=[layer], margin=0.05)
    window.qtbot.wait(50)
    window.click(panel.label_here)
    window.click_at(500, 640)
    window.drawn()
    region = window.session.state.region.region
    assert abs(region.y - (500 - 32)) <= 2 and abs(region.x - (640 - 32)) <= 2
    assert region.shape == (64, 64)
    assert tuple(window.paint.translate) == (region.y, region.x)
