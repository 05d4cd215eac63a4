"""The Trust tab in a real window: figures with limits, one click to calibrate and one back."""

import re

import numpy as np
import pytest
from tiny_data import write_pool

from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session.create_project import ImageSettings, create_project


@pytest.fixture
def labelled(window, tmp_path):
    """A window over six pictures, none set aside, with ten finished regions and no model."""
    pool = write_pool(tmp_path / "six", 6)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    window.open(folder)
    window.session.maintenance.configure(samples=2, steps=12, unpainted="unlabelled")
    window.session.proposals.propose(count=10, size=32, wait=False)
    window.settle()
    window.finish_all(pool)
    return window


def answers(panel):
    """Return the short answers as they are on the screen, without their marks."""
    return re.sub(r"<[^>]+>", "\n", panel.first_answer.lines.text())


def test_first_answer_is_estimated_by_a_button_and_read_in_a_line(labelled):
    window = labelled
    panel = window.panel("Trust")
    assert "There is no model yet" in answers(panel)
    button = panel.first_answer.estimate
    assert not button.isEnabled() and "train a first model" in button.toolTip()
    assert not panel.first_answer.score.isVisible()
    train = window.panel("Train")
    assert not train.estimate.isVisible()
    window.click(train.go)
    window.settle()
    assert train.estimate.isVisible()  # offered after the first training
    panel = window.panel("Trust")
    assert "Not measured yet" in answers(panel)
    assert "estimate it from the 10 finished regions on" in answers(panel)
    assert button.isEnabled() and "can be stopped" in button.toolTip()
    texts = []
    window.session.progressed.connect(lambda progress: texts.append(progress.text))
    window.click(button)
    assert not button.isEnabled() and "being made" in button.toolTip()
    assert window.dock.stop.isEnabled()
    window.settle(timeout=300_000)
    assert any(text.startswith("fold 1 of 5") for text in texts)
    shown = answers(panel)
    limits = r"(\d\.\d\d) \(95 % CI (\d\.\d\d) to (\d\.\d\d)\)"
    dice = re.search(rf"Dice about {limits}, cross-validated over \d images, 10 regions", shown)
    assert dice, shown
    known = window.session.trust.cross_validation().estimates["image_mean_dice"]
    assert [float(v) for v in dice.groups()] == [
        pytest.approx(v, abs=0.005) for v in (known.value, known.low, known.high)
    ]
    assert "Calibrated?" in shown and "ECE" in shown
    assert "To make it firmer:" in shown
    assert not window.panel("Train").estimate.isVisible()  # there is an answer now
    panel = window.panel("Trust")
    assert panel.first_answer.y() < panel.scores.parentWidget().y()  # it comes first


def test_an_estimate_stops_and_leaves_nothing(labelled):
    window = labelled
    window.session.train(wait=False)
    window.settle()
    window.session.maintenance.configure(samples=1000)  # long enough to be stopped
    train = window.panel("Train")
    started = []
    window.session.progressed.connect(lambda progress: started.append(progress.text))
    window.click(train.estimate)
    assert window.dock.tabs.tabText(window.dock.tabs.currentIndex()) == "Trust"
    window.qtbot.waitUntil(lambda: any(t.startswith("fold") for t in started), timeout=30_000)
    window.click(window.dock.stop)
    window.settle()
    assert window.session.trust.cross_validation() is None
    panel = window.panel("Trust")
    assert "Not measured yet" in answers(panel) and panel.first_answer.estimate.isEnabled()


def test_one_image_names_what_is_missing_in_the_tip(window, tmp_path):
    pool = write_pool(tmp_path / "one", 1)
    folder = create_project(
        tmp_path / "p", images_dir=pool / "images", classes=("background", "disk")
    ).folder
    window.open(folder)
    window.session.maintenance.configure(steps=4)
    window.session.proposals.propose(count=3, size=24, wait=False)
    window.settle()
    window.finish_all(pool)
    window.session.train(wait=False)
    window.settle()
    assert not window.panel("Train").estimate.isVisible()
    panel = window.panel("Trust")
    assert not panel.first_answer.estimate.isEnabled()
    assert "finish a region on another image" in panel.first_answer.estimate.toolTip()
    assert "finish a region on another image" in answers(panel)


def test_labelled_validation_is_the_first_answer_and_can_be_scored_without_training(trained):
    window = trained
    panel = window.panel("Trust")
    assert "on 3 validation images" in answers(panel)
    assert "estimate it from the 4 finished regions" in answers(panel)
    assert not panel.first_answer.score.isVisible()
    changed = next(q for q in window.session.state.queue if q.kind == "whole")
    target = window.session.project.labels.latest(changed.id).target
    window.session.project.labels.save(
        changed.id, 1 - target, state=RegionState.DONE, annotator="Ben", effort=Effort()
    )
    window.panel("Train")
    panel = window.panel("Trust")
    assert "Outdated: 1 region was finished or changed since" in answers(panel)
    before = window.session.trust.evaluation("m001").confusion.accuracy
    assert panel.first_answer.score.isVisible()
    window.click(panel.first_answer.score)
    window.settle()
    assert window.session.trust.evaluation("m001").confusion.accuracy < before
    assert "Outdated" not in answers(panel) and not panel.first_answer.score.isVisible()
    assert len(window.session.state.models) == 1


@pytest.fixture
def trained(window, tmp_path):
    """A window with a project of nine pictures, three labelled for validation, and one model."""
    pool = write_pool(tmp_path / "nine", 9)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.34, test_fraction=0.12),
    ).folder
    window.open(folder)
    window.session.maintenance.configure(samples=4)
    window.session.proposals.propose(count=4, size=32, wait=False)
    window.settle()
    window.finish_all(pool)
    window.session.train(epochs=6, wait=False)
    window.settle()
    return window


def test_calibration_is_one_click_and_one_to_take_back(trained):
    window = trained
    panel = window.panel("Trust")
    window.qtbot.waitUntil(lambda: panel.scores.rowCount() > 6)
    assert "to" in panel.scores.item(0, 2).text()  # limits over images
    window.qtbot.waitUntil(lambda: panel.diagram.height() > 100, timeout=30_000)
    assert "tenth of the pixels by BALD holds" in panel.finds.text()
    box = panel.calibration
    assert not box.use.isEnabled()
    window.click(box.fit)
    window.settle()
    assert "images left out" in box.tried.text() and "temperature" in box.tried.text()
    assert "as the network gives them" in box.now.text()
    box.method.value = "temperature"
    window.click(box.use)
    window.settle()
    assert window.session.state.calibrated.startswith("temperature")
    assert "are calibrated: temperature" in box.now.text()
    heat = next(layer for layer in window.viewer.layers if "[nats]" in layer.name)
    assert "calibrated" in heat.name
    window.click(box.back)
    window.settle()
    assert window.session.state.calibrated == ""
    heat = next(layer for layer in window.viewer.layers if "[nats]" in layer.name)
    assert "calibrated" not in heat.name


def test_figures_are_drawn_in_the_background_and_chosen_by_name(trained):
    window = trained
    box = window.panel("Trust").figures
    assert not box.which.isVisible()
    window.click(box.draw)
    assert not box.draw.isEnabled()
    window.qtbot.waitUntil(lambda: box.which.count() > 3, timeout=60_000)
    titles = [box.which.itemText(k) for k in range(box.which.count())]
    assert {"ECE and Brier over the models", "errors by tenths of uncertainty"} <= set(titles)
    box.which.setCurrentText("errors by tenths of uncertainty")
    window.qtbot.wait(50)
    assert "each tenth of the pixels" in box.caption.text()
    assert box.picture.height() > 100 and box.draw.isEnabled()


def test_scoreboard_says_from_which_labels_and_what_cannot_be_said(trained):
    window = trained
    panel = window.panel("Trust")
    window.qtbot.waitUntil(lambda: "Validation" in panel.evidence.board.text())
    assert "Audit" not in panel.evidence.board.text()
    window.click(panel.evidence.test)
    window.settle()
    assert "the last word" in panel.evidence.board.text()
    window.click(panel.evidence.look)
    window.settle()
    assert panel.evidence.leaks.isVisible()
    assert "4 points at least" in panel.stopping.advice.text()
    assert not panel.stopping.compare.isEnabled()


def test_a_label_in_doubt_is_a_click_away(trained):
    window = trained
    session = window.session
    done = {q.id: session.project.labels.latest(q.id) for q in session.state.done_in_pool}
    wrong = max(done, key=lambda i: np.minimum(*np.bincount(done[i].target.ravel(), minlength=2)))
    session.project.labels.save(
        wrong, 1 - done[wrong].target, state=RegionState.DONE, annotator="Ben", effort=Effort()
    )
    panel = window.panel("Trust")
    assert panel.review.about.text() == "Not reviewed yet"
    window.click(panel.review.go)
    window.settle()
    listed = panel.review.found
    keys = [listed.key_of(listed.item(k)) for k in range(listed.count())]
    assert wrong in keys, panel.review.about.text()
    item = listed.item(keys.index(wrong))
    listed.itemClicked.emit(item)
    assert session.state.region_id == wrong
    place = next(f.place for f in session.trust.latest_review().findings if f.region_id == wrong)
    centre = np.array(window.viewer.scene.camera.center)[-2:]
    assert np.allclose(centre, (place.y + place.height / 2, place.x + place.width / 2), atol=1)
    assert "agree on 1 region" in panel.review.agreement.text()
