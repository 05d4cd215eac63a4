"""Training in a real window: what is asked, what is told, what goes on beside it."""

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_active_seg.jobs import JobKind
from napari_active_seg.project import Project
from napari_active_seg.session.create_project import ImageSettings, create_project


def test_image_on_screen_is_predicted_by_itself_after_training(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    window.settle()
    session = window.session
    assert session.state.predicted == {session.state.image_id}
    other = next(i for i in session.state.image_ids if i != session.state.image_id)
    session.select_image(other)
    window.settle()
    assert other in session.state.predicted


def test_settings_of_training_are_kept_with_the_project(proposed):
    window = proposed
    panel = window.panel("Train")
    assert panel.init.choices == ("current", "pretrained", "scratch")
    assert not panel.advice.isVisible()
    panel.augmentation.value = "histology"
    panel.semi_supervised.value = "consistency"
    panel.training_length.value = 3
    window.qtbot.wait(20)
    assert panel.advice.isVisible()
    assert "of 8 regions done" in panel.advice.text()
    with Project.open(window.session.project.folder, read_only=True) as project:
        assert project.config.training.augmentation == "histology"
        assert project.config.training.semi_supervised == "consistency"
        assert project.config.training.training_length == 3
    session = window.session
    session.maintenance.configure(training_length=7)  # as a script may
    session.select_image(next(i for i in session.state.image_ids if i != session.state.image_id))
    window.settle()
    length = panel.training_length
    assert length.value == 7 and length.current_choice == "7 times as long"


def test_worse_model_is_told_and_the_person_may_take_it(proposed, pool):
    window = proposed
    window.finish_all(pool)
    panel = window.panel("Train")
    window.session.train(epochs=150, wait=False)
    window.settle()
    first = panel.models.item(0, 0).text()
    assert first == "m001 *"
    assert not panel.verdict.isVisible() and not panel.use_other.isVisible()
    window.session.train(epochs=1, init="pretrained", settings={"learning_rate": 1e-9}, wait=False)
    window.settle()
    assert [panel.models.item(row, 0).text() for row in range(2)] == ["m001 *", "m002"]
    assert panel.verdict.isVisible()
    assert "Worse: Dice 0." in panel.verdict.text()
    assert "m001 stays in use; m002 can be chosen in the table" in panel.verdict.text()
    assert panel.use_other.text() == "Use m002 instead" and panel.use_other.isVisible()
    window.click(panel.use_other)  # one click
    window.settle()
    assert panel.models.item(1, 0).text() == "m002 *"
    assert "m002 is in use; m001 can be chosen" in panel.verdict.text()
    assert panel.use_other.text() == "Use m001 instead"
    panel.models.setCurrentCell(0, 0)
    window.click(panel.use)
    window.settle()
    assert panel.models.item(0, 0).text() == "m001 *"
    assert panel.use_other.text() == "Use m002 instead"


def answer(text, asked):
    """Press a button of the question that is about to come."""

    def press():
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(50, press)
            return
        asked.append(box.text())
        next(b for b in box.buttons() if b.text() == text).click()

    QTimer.singleShot(50, press)


def test_closing_while_a_network_is_trained_asks_and_both_answers_hold(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(preset="unet", epochs=10_000, wait=False)
    window.qtbot.wait(300)
    asked = []
    answer("Keep training", asked)
    assert not window.dock.context.may_close()
    assert window.session.state.job is JobKind.TRAIN
    answer("Stop and close", asked)
    assert window.dock.context.may_close()
    assert asked == ["A network is being trained."] * 2
    window.dock.stop.click()
    window.settle(30_000)
    assert window.dock.context.may_close()  # nothing runs, nothing is asked
    assert len(asked) == 2


def test_painting_and_other_verbs_go_on_beside_a_training(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.proposals.propose(count=2, size=32, wait=False)
    window.settle()
    window.session.train(preset="unet", epochs=10_000, wait=False)
    window.qtbot.wait(200)
    region = window.session.state.region.region
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 24))
    assert np.asarray(window.paint.data).any()
    window.dock.painter.save()
    assert not window.session.state.unsaved
    assert window.panel("Propose").go.isEnabled()
    assert not window.panel("Train").go.isEnabled()
    window.click(window.panel("Propose").go)
    assert window.session.state.jobs == (JobKind.TRAIN, JobKind.PROPOSE)
    assert window.dock.status.text() == "Working: training; then proposing"
    window.click(window.dock.stop)
    window.settle(30_000)
    assert window.session.state.model is None


def test_verdict_says_where_no_model_can_be_measured(window, tmp_path, pool):
    folder = create_project(
        tmp_path / "unmeasured",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(group_pattern="(img)[0-9]"),
    ).folder
    window.open(folder)
    window.session.proposals.propose(count=4, size=32, wait=False)
    window.settle()
    window.finish_all(pool)
    window.session.train(preset="fast", epochs=1, wait=False)
    window.settle()
    verdict = window.panel("Train").verdict
    assert verdict.isVisible() and "all 4 images are of one patient or slide" in verdict.text()
