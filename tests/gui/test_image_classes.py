"""A class per image in the window: asked in the same queue, answered by key and button."""

import pytest
from qtpy.QtCore import Qt

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.project import Project
from napari_active_seg.regions import RegionState
from napari_active_seg.session.view_state import resolve_view


@pytest.fixture
def asked(proposed):
    """A window with regions and two questions about images."""
    window = proposed
    panel = window.panel("Propose")
    assert not panel.ask.go.isEnabled()
    panel.ask.names.value = "benign, malignant"
    panel.ask.names.native.editingFinished.emit()
    assert window.session.image_classes.classes == ("benign", "malignant")
    panel.ask.count.value = 2
    window.click(panel.ask.go)
    window.settle()
    return window


def in_hand(window, number=0):
    question = window.session.state.open_questions[number]
    window.session.select_region(question.id)
    window.settle()
    return question


def test_questions_are_in_the_strip_behind_the_regions(asked):
    panel = asked.panel("Annotate")
    shown = panel.strip.regions.shown
    assert [q.kind is RegionKind.IMAGE_QUESTION for q in shown][-2:] == [True, True]
    panel.shown.setCurrentText("images to name")
    assert len(panel.strip.regions.shown) == 2
    view = resolve_view(asked.session.state)
    assert "2 images to name" in view.status


def test_a_question_is_answered_by_a_key_and_the_next_one_comes(asked):
    question = in_hand(asked)
    panel, session = asked.panel("Annotate"), asked.session
    assert "what is it?" in panel.about.text()
    assert not panel.tools.isVisible() and panel.as_a_whole.isVisible()
    assert not panel.answers[RegionState.DONE].isEnabled()
    assert panel.answers[RegionState.SKIPPED].isEnabled()
    assert asked.layer("paint") is None or not asked.layer("paint").visible
    asked.key(Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    asked.settle()
    answer = session.image_classes.answers()[question.region.image_id]
    assert answer.name == "malignant"
    assert session.state.question_id != question.id
    with Project.open(session.project.folder, read_only=True) as stored:
        assert stored.regions.get(question.id).state is RegionState.DONE


def test_an_image_on_show_can_be_named_beside_its_regions(asked):
    window, session = asked, asked.session
    window.session.select_region(session.state.open_regions[0].id)
    window.settle()
    panel = window.panel("Annotate")
    region = session.state.region_id
    image_id = session.state.image_id
    assert panel.tools.isVisible()
    window.click(panel.as_a_whole.buttons[0])
    window.settle()
    answer = session.image_classes.answers()[image_id]
    assert (answer.name, answer.seconds) == ("benign", 0.0)
    assert session.state.region_id == region  # the region stays selected
    assert panel.as_a_whole.buttons[0].isChecked()
    assert not panel.as_a_whole.buttons[1].isChecked()
    assert "Benign, said by" in panel.as_a_whole.said.text()


def test_skip_cannot_tell_and_later_go_by_the_same_buttons(asked):
    session, panel = asked.session, asked.panel("Annotate")
    first = in_hand(asked)
    asked.click(panel.answers[RegionState.LATER])
    asked.settle()
    states = {q.id: q.state for q in session.state.questions}
    assert states[first.id] is RegionState.LATER
    second = next(q for q in session.state.open_questions if q.id != first.id)
    session.select_region(second.id)
    asked.click(panel.answers[RegionState.CANT_TELL])
    asked.settle()
    assert session.image_classes.answers()[second.region.image_id].name is None


def test_without_classes_nothing_of_it_is_seen(proposed):
    panel = proposed.panel("Annotate")
    assert not panel.as_a_whole.isVisible()
    assert proposed.session.state.questions == ()
