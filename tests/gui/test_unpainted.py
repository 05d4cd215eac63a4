"""A stranger paints the foreground alone: what is asked, what is trained, what is said of it."""

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox
from scipy import ndimage

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.api import create_project
from napari_active_seg.regions import RegionState
from napari_active_seg.session.create_project import ImageSettings


def answer(text, seen):
    """Press a button of the next dialog with the mouse; what the dialog says goes to ``seen``."""
    left = [500]

    def press():
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            left[0] -= 1
            if left[0]:
                QTimer.singleShot(20, press)
            return
        seen.append((box.text(), box.informativeText(), [b.text() for b in box.buttons()]))
        (button,) = [b for b in box.buttons() if b.text() == text]
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, press)


def no_dialog():
    """Let a dialog that nobody expects be an error, not a test that never ends."""

    def press():
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            box.reject()
            raise AssertionError(f"unexpected dialog: {box.text()}")

    timer = QTimer()
    timer.timeout.connect(press)
    timer.start(20)
    return timer


@pytest.fixture
def disks(tmp_path):
    """Pale pictures with four dark disks each; the last one shows none."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, x = np.ogrid[:160, :160]
    for number in range(4):
        inside = np.zeros((160, 160), bool)
        for cy in (40, 120):
            for cx in (40, 120):
                inside |= (y - cy) ** 2 + (x - cx) ** 2 <= 22**2
        if number == 3:
            inside[:] = False
        pixels = np.where(inside[..., None], (110, 60, 140), (225, 170, 200))
        noisy = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"disks{number}.png")
    return folder


@pytest.fixture
def on_disks(window, disks, tmp_path):
    """A project of the pictures, all in the pool, with whole images to label; no rule yet."""
    settings = ImageSettings(val_fraction=0.0)
    made = create_project(
        tmp_path / "p", images_dir=disks, classes=["ground", "disk"], settings=settings
    )
    window.open(made.folder)
    window.session.proposals.propose(count=4, size=160, wait=False)
    window.settle()
    return window


def go_to(window, image_id):
    """Take the region of an image selected."""
    (region,) = [q for q in window.session.state.queue if q.region.image_id == image_id]
    window.session.select_region(region.id)
    window.drawn()
    return region.id


def paint_disks(window):
    """Click each disk of the current region with smart fill; return the area that was painted."""
    region = window.session.state.region.region
    window.key(Qt.Key.Key_M)
    picture = np.asarray(window.layer("image").data)[region.slices].astype(float).mean(axis=2)
    parts, count = ndimage.label(ndimage.gaussian_filter(picture, 2) < 150)
    for part in range(1, count + 1):
        depth = ndimage.distance_transform_edt(parts == part)
        if depth.max() > 5:
            y, x = np.unravel_index(int(depth.argmax()), depth.shape)
            window.click_at(region.y + int(y), region.x + int(x))
    return np.asarray(window.paint.data) == 2


def done(window):
    """Press the key for done; return when the disk has it."""
    window.key(Qt.Key.Key_D)
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=60_000)


def target(window, region_id):
    return window.session.labels.latest(region_id).target


def test_a_stranger_is_asked_once_and_the_model_tells_the_classes_apart(window, disks, tmp_path):
    new = window.panel("Project").new
    new.images_dir.line_edit.value = str(disks)
    window.qtbot.waitUntil(lambda: "4 images" in new.found.text(), timeout=60_000)
    new.folder.line_edit.value = str(tmp_path / "mine")
    new.classes.value = "ground, disk"
    assert new.unpainted.current_choice == "ask me"
    window.click(new.make)
    window.qtbot.waitUntil(lambda: window.session is not None, timeout=120_000)
    session = window.session
    assert session.project.config.unpainted is None
    panel = window.panel("Propose")
    panel.amount.value, panel.size.value = 3, 160
    window.click(panel.go)
    window.settle(timeout=300_000)
    window.click(panel.label)
    seen, painted = [], 0
    while session.state.region is not None:
        region_id = session.state.region_id
        mask = paint_disks(window)
        if seen:  # asked once a project
            timer = no_dialog()
            done(window)
            timer.stop()
        else:
            answer("ground", seen)
            done(window)
        np.testing.assert_array_equal(target(window, region_id), np.where(mask, 1, 0))
        painted += mask.any()
    ((told, _, buttons),) = seen
    assert "is not painted" in told or told == "Nothing is painted in this region."
    assert buttons == ["ground", "disk", "Ignored", "Keep painting"]
    assert painted >= 2
    assert window.panel("Annotate").habits.unpainted.currentText() == "ground"
    train = window.panel("Train")
    train.preset.value = "fast"
    session.maintenance.configure(steps=100)
    window.click(train.go)
    window.settle(timeout=300_000)
    assert not window.dock.message.isVisible()
    session.predict(wait=False)
    window.settle(timeout=300_000)
    shown = next(q for q in session.state.done_in_pool if (target(window, q.id) == 1).any())
    image_id = shown.region.image_id
    found = session.prediction(image_id).classes
    dark = np.asarray(Image.open(disks / image_id)).mean(axis=2) < 150
    assert 2 * ((found == 1) & dark).sum() / ((found == 1).sum() + dark.sum()) > 0.7
    assert session.last_training.collapse is None


def test_one_class_is_refused_and_one_click_resolves_it(on_disks):
    window, session = on_disks, on_disks.session
    session.maintenance.configure(unpainted="unlabelled")
    regions = []
    for number in range(2):
        regions.append(go_to(window, f"disks{number}.png"))
        assert paint_disks(window).any()
        done(window)
    assert {np.unique(target(window, r)).tolist() == [1, 255] for r in regions} == {True}
    train, message = window.panel("Train"), window.dock.message
    train.preset.value = "fast"
    session.maintenance.configure(steps=5)
    window.click(train.go)
    assert message.isVisible()
    assert "are disk: a model that has seen one class" in message.text.text()
    (button,) = message.remedies
    assert button.isVisible()
    assert button.text() == "Count unpainted pixels as ground and train"
    window.click(button)
    window.settle()
    assert not message.isVisible()
    assert session.project.config.unpainted == "ground"
    assert session.state.model is not None
    assert all(set(np.unique(target(window, r))) == {0, 1} for r in regions)
    window.dock.context.tell(ValueError("another one"))
    assert message.remedies == [] and message.isVisible()


def test_a_changed_rule_is_offered_to_finished_regions(on_disks):
    window, session, seen = on_disks, on_disks.session, []
    session.maintenance.configure(unpainted="unlabelled")
    first = go_to(window, "disks0.png")
    mask = paint_disks(window)
    done(window)
    go_to(window, "disks0.png")  # the finished region is selected, and seen to change
    habits = window.panel("Annotate").habits
    assert habits.unpainted.currentText() == "ignored"

    def choose(text):
        index = habits.unpainted.findText(text)
        habits.unpainted.setCurrentIndex(index)
        habits.unpainted.activated.emit(index)

    answer("Only later regions", seen)
    choose("ground")
    window.settle()
    np.testing.assert_array_equal(target(window, first), np.where(mask, 1, 255))
    habits.unpainted.activated.emit(habits.unpainted.findText("ground"))  # no change, no question
    answer("Apply", seen)
    choose("ignored")  # nothing was filled yet: nothing to ask
    assert len(seen) == 1
    choose("ground")
    window.settle()
    assert [text for text, _, _ in seen] == ["Apply to the finished region?"] * 2
    assert "Unpainted pixels in them become ground." in seen[0][1]
    np.testing.assert_array_equal(target(window, first), np.where(mask, 1, 0))
    np.testing.assert_array_equal(np.asarray(window.paint.data), np.where(mask, 2, 1))
    answer("Apply", seen)
    choose("ignored")
    window.settle()
    np.testing.assert_array_equal(target(window, first), np.where(mask, 1, 255))
    np.testing.assert_array_equal(np.asarray(window.paint.data), np.where(mask, 2, 0))
    *_, painted, filled, ignored = (saved.note for saved in session.labels.history(first))
    assert (painted, filled) == ("", "unpainted pixels count as ground")
    assert ignored == "unpainted pixels are ignored"


def test_a_region_without_foreground_is_done_by_one_key(on_disks):
    window, session = on_disks, on_disks.session
    session.maintenance.configure(unpainted="ground")
    empty = go_to(window, "disks3.png")
    timer = no_dialog()
    done(window)
    timer.stop()
    assert (target(window, empty) == 0).all()
    assert session.labels.latest(empty).state is RegionState.DONE
    assert session.state.region_id != empty
    assert "Finished as ground" in window.dock.status.text()


def test_without_a_rule_an_empty_region_asks_and_the_answer_completes_it(on_disks):
    window, session, seen = on_disks, on_disks.session, []
    empty = go_to(window, "disks3.png")
    answer("Keep painting", seen)
    window.key(Qt.Key.Key_D)
    assert session.state.region_id == empty and session.project.config.unpainted is None
    answer("ground", seen)
    done(window)
    assert [text for text, _, _ in seen] == ["Nothing is painted in this region."] * 2
    assert (target(window, empty) == 0).all()
    assert session.project.config.unpainted == "ground"


def test_where_unpainted_is_ignored_an_empty_region_asks_what_it_is(on_disks):
    window, session, seen = on_disks, on_disks.session, []
    session.maintenance.configure(unpainted="unlabelled")
    empty = go_to(window, "disks3.png")
    answer("Keep painting", seen)
    window.key(Qt.Key.Key_D)
    assert session.state.region_id == empty
    answer("Yes", seen)
    done(window)
    assert (target(window, empty) == 0).all()
    assert session.labels.latest(empty).state is RegionState.DONE
    other = go_to(window, "disks0.png")
    answer("Skip instead", seen)
    done(window)
    assert session.project.regions.get(other).state is RegionState.SKIPPED
    assert {text for text, _, _ in seen} == {"Nothing is painted. Is the whole region ground?"}
    assert session.project.config.unpainted == "unlabelled"


def test_a_model_that_predicts_one_class_is_told_of_in_train_and_trust(on_disks):
    window, session = on_disks, on_disks.session
    session.maintenance.configure(unpainted="unlabelled")
    go_to(window, "disks0.png")
    paint_disks(window)
    done(window)
    session.train(preset="fast", settings={"steps": 40}, allow_one_class=True, wait=False)
    window.settle()
    session.predict(wait=False)
    window.settle()
    trust = window.panel("Trust")
    window.drawn()
    window.qtbot.waitUntil(trust.warning.isVisible, timeout=10_000)
    assert "m001 predicts disk for" in trust.warning.text()
    assert all(q.kind is not RegionKind.IMPORTED for q in session.state.queue)
