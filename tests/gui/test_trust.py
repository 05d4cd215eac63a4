"""The Trust tab in a real window: figures with limits, one click to calibrate and one back."""

import numpy as np
import pytest
from tiny_data import write_pool

from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session.creation import ImageSettings, create_project


@pytest.fixture
def trained(window, tmp_path):
    """A window with a project of nine pictures, three labelled for validation, and one model."""
    pool = write_pool(tmp_path / "nine", 9)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.34, audit_fraction=0.12),
    ).folder
    window.open(folder)
    window.session.upkeep.configure(samples=4)
    window.session.propose(count=4, size=32)
    window.settle()
    window.finish_all(pool)
    window.session.train(epochs=6)
    window.settle()
    return window


def test_calibration_is_one_click_and_one_to_take_back(trained):
    window = trained
    panel = window.panel("Trust")
    window.qtbot.waitUntil(lambda: panel.scores.rowCount() > 6)
    assert "to" in panel.scores.item(0, 2).text()  # limits over images
    assert panel.diagram.height() > 100
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
    window.click(panel.evidence.audit)
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
