"""Verbs that the desktop brought: walking, blindness, choosing again, unpainted pixels."""

import numpy as np
import pytest

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, Effort, RegionState
from napari_active_seg.session.state import Content, initial_state
from napari_active_seg.session.ui_state import UiState, UiStateFile


def paint(session, region_id, value=1, state=RegionState.DONE):
    shape = session.project.regions.get(region_id).region.shape
    session.labels.save(region_id, np.full(shape, value, np.uint8), state=state)


@pytest.fixture
def with_model(session, pool):
    session.proposals.propose(count=4, size=24)
    session.labels.answer_from_masks(pool / "masks")
    session.train(epochs=3)
    session.proposals.propose(count=5, size=24)
    return session


def test_next_goes_on_from_where_one_is_and_round_again(session):
    session.proposals.propose(count=4, size=24)
    ids = [q.id for q in session.state.open_regions]
    session.select_region(ids[1])
    seen = []
    for _ in range(4):
        session.next_region()
        seen.append(session.state.region_id)
    assert seen == [ids[2], ids[3], ids[0], ids[1]]


def test_next_after_an_answer_is_the_one_that_follows(session):
    session.proposals.propose(count=4, size=24)
    ids = [q.id for q in session.state.open_regions]
    session.select_region(ids[1])
    session.labels.set_state(ids[1], RegionState.SKIPPED)
    session.next_region()
    assert session.state.region_id == ids[2]


def test_back_returns_step_by_step_and_says_where_it_ends(session):
    session.proposals.propose(count=3, size=24)
    ids = [q.id for q in session.state.open_regions]
    for region_id in ids:
        session.select_region(region_id)
    session.navigation.back()
    assert session.state.region_id == ids[1]
    session.navigation.back()
    assert session.state.region_id == ids[0]
    with pytest.raises(NothingToDoError, match="no way back"):
        session.navigation.back()


def test_the_most_uncertain_place_is_one_that_nobody_labelled(with_model):
    session = with_model
    queued = session.state.done_in_pool[0]
    session.select_image(queued.region.image_id)
    session.predict([queued.region.image_id])
    y, x = session.navigation.to_most_uncertain()
    values = session.uncertainty(queued.region.image_id)
    labelled = session.labels.so_far(queued.region.image_id) != UNLABELLED
    assert not labelled[y, x]
    assert values[y, x] == values[~labelled].max()


def test_the_bookmark_survives_and_rubbish_in_it_does_not_matter(tmp_path):
    path = tmp_path / "cache" / "place.json"
    UiStateFile(path, writes=True).keep(image_id="a.png", tool="erase", class_index=1)
    assert UiStateFile(path, writes=True).latest == UiState("a.png", "", "erase", 1)
    path.write_text('{"image_id": 7, "tool": "fill", "more": []}')
    assert UiStateFile(path, writes=True).latest == UiState(tool="fill")
    path.write_text("{half of")
    assert UiStateFile(path, writes=True).latest == UiState()
    UiStateFile(path, writes=False).keep(tool="brush")
    assert path.read_text() == "{half of"
    kept = UiStateFile(path, writes=True)
    kept.stop_writing()
    kept.keep(tool="brush")
    assert kept.latest == UiState(tool="brush") and path.read_text() == "{half of"


def test_a_project_opens_where_the_bookmark_lies_if_that_is_still_there(session):
    session.proposals.propose(count=3, size=24)
    project = session.project
    last = project.regions.queue()[-1]
    found = initial_state(project, UiState(last.region.image_id, last.id))
    assert (found.image_id, found.region_id) == (last.region.image_id, last.id)
    first = session.state.open_regions[0].id
    gone = initial_state(project, UiState(last.region.image_id, "nowhere"))
    assert gone.region_id == first
    away = initial_state(project, UiState("no such image", last.id))
    assert away.region_id == first
    alone = initial_state(project, UiState(last.region.image_id, ""))
    assert (alone.image_id, alone.region_id) == (last.region.image_id, None)


def test_to_the_blind_nothing_of_the_model_is_shown_and_scores_give_no_order(with_model):
    from napari_active_seg.session import resolve_view

    session = with_model
    seen = [q.id for q in session.state.open_regions]
    session.maintenance.configure(blind=True)
    assert session.state.blind
    assert not resolve_view(session.state).shows_prediction
    blind = [q.id for q in session.state.open_regions]
    assert sorted(blind) == sorted(seen)
    assert blind != seen
    with Project.open(session.project.folder, read_only=True) as project:
        assert project.config.blind
    session.maintenance.configure(blind=False)
    assert [q.id for q in session.state.open_regions] == seen


def test_choosing_anew_takes_untouched_regions_back_and_leaves_the_rest(with_model):
    session = with_model
    latest = [q for q in session.state.queue if q.round == 2]
    chosen = [q for q in latest if q.kind is RegionKind.CHOSEN]
    paint(session, chosen[0].id, state=RegionState.IN_PROGRESS)
    session.select_region(chosen[1].id)
    kept = {q.id for q in session.state.queue} - {q.id for q in chosen[2:]}
    predictions = session.state.predicted
    session.proposals.reselect(measure="entropy", size=24)
    queue = session.state.queue
    assert kept <= {q.id for q in queue}
    assert not {q.id for q in chosen[2:]} & {q.id for q in queue}
    new = [q for q in queue if q.id not in kept]
    assert len(new) == len(chosen) - 2
    assert {q.round for q in new} == {2}
    assert session.state.region_id == chosen[1].id
    assert session.state.predicted == predictions
    withdrawn = session.project.events.named("withdrawn")
    assert {event.subject for event in withdrawn} == {q.id for q in chosen[2:]}


def test_choosing_anew_by_the_same_strategy_chooses_the_same(with_model):
    session = with_model
    session.navigation.on()
    session.maintenance.configure(control=0, validation=0)
    places = {q.region for q in session.state.queue}
    session.context.update(region_id=None)
    session.proposals.reselect(size=24)
    assert {q.region for q in session.state.queue} == places


def test_there_is_nothing_to_choose_anew_without_a_model(session):
    session.proposals.propose(count=3, size=24)
    with pytest.raises(NothingToDoError, match="none that a model chose"):
        session.proposals.reselect()


def test_unpainted_pixels_become_the_class_that_the_project_says(session):
    session.proposals.propose(count=2, size=24)
    first, second = (q.id for q in session.state.open_regions)
    target = np.full((24, 24), UNLABELLED, np.uint8)
    target[:5] = 1
    assert session.labels.asks_about_unpainted
    session.labels.leave(first, RegionState.DONE, target=target)
    session.labels.flush()
    assert (session.labels.latest(first).target == target).all()
    session.maintenance.configure(unpainted="background")
    assert not session.labels.asks_about_unpainted
    session.labels.leave(second, RegionState.DONE, target=target)
    session.labels.flush()
    assert (session.labels.latest(second).target == np.where(target == 1, 1, 0)).all()
    session.maintenance.rename_class("background", "glass")
    assert session.project.config.unpainted == "glass"
    assert session.labels.unpainted_class == 0


def test_what_a_region_began_with_is_kept_and_the_most_telling_counts(session):
    session.proposals.propose(count=1, size=24)
    region_id = session.state.open_regions[0].id
    target = np.ones((24, 24), np.uint8)
    for begun in ("empty", "prediction", "empty"):
        session.labels.offer(region_id, target, Effort(active_s=1, begun=begun))
        session.labels.flush()
        target = target.copy()
        target[0, 0] ^= 1
    assert session.labels.latest(region_id).effort.begun == "prediction"
    efforts = {saved.region_id: saved.effort for saved in session.project.labels.efforts()}
    assert efforts[region_id].begun == "prediction"


def test_time_spent_on_a_skipped_region_stands_in_the_diary(session):
    session.proposals.propose(count=1, size=24)
    region_id = session.state.open_regions[0].id
    session.labels.leave(region_id, RegionState.SKIPPED, effort=Effort(active_s=4.5))
    session.labels.flush()
    (event,) = session.project.events.of(region_id, what="state")
    assert (event.facts["to"], event.facts["active_s"]) == ("skipped", 4.5)


def test_the_model_before_is_asked_and_where_it_disagrees_is_a_map(with_model, pool):
    session = with_model
    image_id = session.state.image_id
    assert session.predictions.disagreement(image_id) is None
    with pytest.raises(NothingToDoError, match="one model only"):
        session.predictions.predict_with_earlier(image_id)
    session.labels.answer_from_masks(pool / "masks")
    session.train(epochs=4, accept_worse=True)
    session.predict([image_id])
    changed = []
    session.content_changed.connect(changed.append)
    session.predictions.predict_with_earlier(image_id)
    assert changed == [Content.COMPARISONS]
    moved = session.predictions.disagreement(image_id)
    assert moved.shape == session.prediction(image_id).mean_probs.shape[1:]
    assert moved.min() >= 0 and 0 < moved.max() <= 1


def test_training_begins_by_itself_after_so_many_finished_regions(with_model):
    from napari_active_seg.session.training.auto_train import AutoTrainTrigger

    session = with_model
    turn = AutoTrainTrigger(session.project)
    waiting = [q.id for q in session.state.open_regions]
    in_pool = [q.id for q in session.state.open_regions
               if q.region.image_id not in session.state.validation_ids]  # fmt: skip
    assert turn.new_since_last(session.state) == 0 and len(waiting) >= len(in_pool) > 2
    session.maintenance.configure(train_after=2)
    assert not turn.is_due(session.state)
    paint(session, in_pool[0])
    assert not turn.is_due(session.state)
    paint(session, in_pool[1])
    assert turn.is_due(session.state)
    assert not turn.is_due(session.state)  # asked once
    paint(session, in_pool[2])
    assert not turn.is_due(session.state)
