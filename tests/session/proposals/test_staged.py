"""Proposals in stages: the first regions early, and at the end what one proposal would choose."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeSegmenter, FakeSegmenters
from tiny_data import write_pool

from napari_active_seg.acquisition import RANDOM_SHARES, STRATEGIES, Budget, RegionKind
from napari_active_seg.errors import NothingToDoError, StoppedError
from napari_active_seg.jobs import CancelToken, InlineRunner
from napari_active_seg.project import OFFERED_EVENT, Project, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.proposals.inputs import ProposalChoices, Stage, unpredicted_images
from napari_active_seg.session.proposals.staged import images_of_first_stage
from napari_active_seg.session.proposals.task import propose_regions
from napari_active_seg.session.task_context import TaskContext

_IMAGES = 12


@pytest.fixture
def trained(tmp_path):
    """A folder with a project of twelve images, three of them for validation, and one model."""
    pool = write_pool(tmp_path / "data", _IMAGES + 3)
    folder = create_project(
        tmp_path / "project",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.2, seed=1),
    ).folder
    session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    session.proposals.propose(count=6, size=24)
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    session.close()
    return folder


class Watched:
    """A session with a note of every stage of a proposal.

    ``on_stage`` is called with the number of a stage once its regions are in the queue.
    """

    def __init__(self, folder, *, in_window=True, on_stage=lambda watched, stage: None):
        self.session = Session(
            Project.open(folder),
            FakeSegmenters(),
            InlineRunner(),
            follows_screen=in_window,
        )
        self.stages, self.predicted, self.on_stage = [], [], on_stage
        self.session.state_changed.connect(self._on_state)

    def _on_state(self, new, old):
        if new.queue != old.queue and new.round > 1:
            ids = tuple(q.id for q in new.queue if q.round == new.round)
            if {q.id for q in old.queue} - {q.id for q in new.queue} or new.round > old.round:
                self.stages.append(ids)
                self.predicted.append(len(new.predicted))
                self.on_stage(self, len(self.stages))

    def propose(self, **asked):
        self.session.proposals.propose(**{"count": 8, "size": 24, **asked})
        return self.latest

    def propose_and_fail(self):
        """Propose, and return the error that a later stage ended with."""
        failed = []
        self.session.failed.connect(failed.append)
        self.propose()
        (error,) = failed
        return error

    @property
    def latest(self):
        return [q for q in self.session.state.queue if q.round == self.session.state.round]

    def deactivate(self):
        """Leave the region on screen, so that it does not count as touched."""
        self.session.context.update(region_id=None)


def let_go(watched, _stage):
    """Leave the region that a proposal takes selected, as soon as it is taken."""
    session = watched.session
    to_region = session.navigation.to_region
    session.navigation.to_region = lambda region_id: (to_region(region_id), watched.deactivate())


def choices_of(session, count=8, **parts):
    """Return the choices of a proposal."""
    strategy = session.proposals.strategy(None, size=24, **parts)
    return ProposalChoices(strategy, Budget(count))


def regions_of(queued):
    return {(q.region, q.kind) for q in queued}


def proposed_at_once(folder, tmp_path, **asked):
    """Return what one proposal over the whole pool chooses, in a copy of a project."""
    copy = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
    shutil.copytree(folder, copy)
    watched = Watched(copy, in_window=False)
    found = watched.propose(**asked)
    assert len(watched.stages) == 1
    watched.session.close()
    return found


RANKING = sorted(name for name, strategy in STRATEGIES.items() if strategy.ranks)


@pytest.mark.parametrize("name", RANKING)
def test_all_stages_end_with_what_one_proposal_chooses(trained, tmp_path, name):
    parts = {"strategy": name, "threshold": 0.05, "tolerance": 2.0, "size": 24}
    at_once = proposed_at_once(trained, tmp_path, **parts)
    watched = Watched(trained, on_stage=let_go)
    found = watched.propose(**parts)
    assert len(watched.stages) >= 2
    assert watched.predicted[0] <= 5 < watched.predicted[-1] == _IMAGES
    assert regions_of(found) == regions_of(at_once)
    assert [q.reason for q in found] == [q.reason for q in at_once]
    watched.session.close()


def test_first_regions_come_before_most_images_are_predicted_and_hold_no_drawn_ones(trained):
    kinds = []

    def on_stage(watched, stage):
        let_go(watched, stage)
        kinds.append({q.kind for q in watched.latest})

    watched = Watched(trained, on_stage=on_stage)
    found = watched.propose(control=0.3)
    assert watched.predicted[0] <= 5
    assert kinds[0] == {RegionKind.CHOSEN}
    assert RegionKind.CONTROL in {q.kind for q in found}
    watched.session.close()


def test_touched_regions_stay_and_the_rest_is_what_one_proposal_chooses_beside_them(
    trained, tmp_path
):
    touched = []

    def on_stage(watched, stage):
        if stage == 1:
            let_go(watched, stage)
            touched.extend(watched.latest[-2:])
            for queued in touched:
                watched.session.labels.save(
                    queued.id, np.zeros((24, 24), np.uint8), state=RegionState.IN_PROGRESS
                )
            watched.session.context.update(queue=watched.session.project.regions.queue())

    shutil.copytree(trained, tmp_path / "copy")
    other = Watched(tmp_path / "copy", in_window=False)
    session = other.session
    task = TaskContext(session.project, session.context.models, CancelToken(), lambda *a, **k: None)
    choices, pool = choices_of(session), session.project.images.all(Split.POOL)
    watched = Watched(trained, on_stage=on_stage)
    found = watched.propose()
    assert {q.id for q in touched} <= {q.id for q in found}
    assert len(found) == 8
    kept = tuple(q.place for q in touched)
    unpredicted = unpredicted_images(session.project, choices.strategy.measure)
    stage = Stage(frozenset(ref.id for ref in pool), unpredicted, kept=kept, draws=True)
    at_once = propose_regions(task, replace(choices, stage=stage))
    rest = [q for q in found if q.id not in {t.id for t in touched}]
    assert regions_of(rest) == {(r.region, r.kind) for r in at_once.regions}
    drawn = [r for r in at_once.regions if r.kind in RANDOM_SHARES]
    without = propose_regions(task, choices)
    assert drawn and drawn == [r for r in without.regions if r.kind in RANDOM_SHARES]
    watched.session.close()
    other.session.close()


def test_region_on_screen_is_not_taken_away(trained):
    seen = []
    watched = Watched(trained, on_stage=lambda w, stage: seen.append(w.session.state.region_id))
    watched.propose()
    assert watched.session.state.region_id in {q.id for q in watched.latest}
    assert watched.session.state.region_id in watched.stages[0]
    watched.session.close()


def test_withdrawn_regions_count_nowhere(trained):
    watched = Watched(trained, on_stage=let_go)
    found = watched.propose()
    session = watched.session
    withdrawn = {event.subject for event in session.project.events.named("withdrawn")}
    assert withdrawn and not withdrawn & {q.id for q in session.project.regions.queue()}
    assert not session.project.events.named(OFFERED_EVENT)  # nothing was drawn with a probability
    assert session.project.regions.last_round() == session.state.round == 2
    assert len(found) == 8
    session.proposals.propose(count=8, size=24)
    assert session.state.round == 3
    session.close()


@pytest.mark.parametrize("name", sorted(name for name in STRATEGIES if name not in RANKING))
def test_strategies_that_draw_wait_for_the_whole_pool(trained, name):
    watched = Watched(trained)
    watched.propose(strategy=name, threshold=0.05, tolerance=2.0, size=24, count=4)
    assert len(watched.stages) == 1
    watched.session.close()


def test_what_is_predicted_already_is_not_predicted_again(trained, monkeypatch):
    asked = []
    plain = FakeSegmenter.predict
    monkeypatch.setattr(
        FakeSegmenter, "predict", lambda self, *a, **k: asked.append(1) or plain(self, *a, **k)
    )
    watched = Watched(trained)
    watched.propose()
    assert len(asked) == _IMAGES
    watched.propose()
    assert len(asked) == _IMAGES
    assert len(watched.stages) == 3  # two stages, then one: nothing was left to predict
    watched.session.close()


def test_stop_leaves_the_first_regions(trained):
    watched = Watched(trained)

    def stop_at_sixth_image(progress):
        if progress.text.startswith("Predicting image 6"):
            watched.session.cancel()

    watched.session.progressed.connect(stop_at_sixth_image)
    failed = watched.propose_and_fail()
    assert isinstance(failed, StoppedError)
    assert len(watched.stages) == 1 and watched.session.state.jobs == ()
    assert {q.id for q in watched.latest} == set(watched.stages[0])
    watched.session.close()


def test_another_model_in_use_ends_the_stages(trained):
    def on_stage(watched, stage):
        watched.session.maintenance.configure(temperature=2.0)

    watched = Watched(trained, on_stage=on_stage)
    failed = watched.propose_and_fail()
    assert isinstance(failed, NothingToDoError) and "model in use has changed" in str(failed)
    assert {q.id for q in watched.latest} == set(watched.stages[0])
    watched.session.close()


def test_all_begun_regions_end_the_stages_without_predicting_the_rest(trained):
    def on_stage(watched, stage):
        if stage == 1:
            for queued in watched.latest:
                watched.session.project.regions.set_state(queued.id, RegionState.SKIPPED)
            watched.session.context.update(queue=watched.session.project.regions.queue())

    watched = Watched(trained, on_stage=on_stage)
    found = watched.propose()
    assert set(watched.stages[0]) <= {q.id for q in found}
    assert RegionKind.VALIDATION in {q.kind for q in found}  # drawn ones come all the same
    assert len(found) == 8
    assert len(watched.session.state.predicted) < _IMAGES
    watched.session.close()


def test_image_that_cannot_be_read_does_not_end_the_stages(trained):
    watched = Watched(trained)
    pool = watched.session.project.images
    gone = next(
        i for i in watched.session.state.image_ids if i not in watched.session.state.validation_ids
    )
    pool.source(gone)
    (trained.parent / "data" / "images" / gone).unlink()
    watched.propose()
    assert len(watched.session.state.predicted) == _IMAGES - 1
    assert any("1 images could not be read" in note for note in watched.session.proposals.notes)
    watched.session.close()


def test_progress_says_which_image_and_how_long(trained):
    texts = []
    watched = Watched(trained)
    watched.session.progressed.connect(lambda p: texts.append((p.done, p.total, p.text)))
    watched.propose()
    predicting = [t for t in texts if t[2].startswith("Predicting")]
    assert predicting[0] == (
        0,
        _IMAGES,
        f"Predicting image 1 of {_IMAGES}; the first regions come after image 4",
    )
    assert [done for done, _, _ in predicting] == sorted(done for done, _, _ in predicting)
    later = [text for done, _, text in predicting if done >= 4]
    assert len(later) == _IMAGES - 4
    assert all(f"of {_IMAGES}, about " in text and text.endswith(" left") for text in later)
    watched.session.close()


def test_prediction_of_all_images_says_which_one_it_is_at(trained):
    texts = []
    watched = Watched(trained)
    watched.session.progressed.connect(lambda p: texts.append(p.text))
    watched.session.predict()
    count = len(watched.session.state.image_ids)
    numbers = [text for text in texts if text.startswith("Predicting")]
    assert numbers[0] == f"Predicting image 1 of {count}" and len(numbers) == count
    assert numbers[-1].startswith(f"Predicting image {count} of {count}, about ")
    watched.session.close()


@pytest.mark.parametrize(
    ("share", "count", "images"),
    [(0.25, 8, 4), (0.5, 8, 2), (0.125, 8, 8), (0.0, 8, 4), (0.1, 3, 3)],
)
def test_first_stage_takes_images_that_fill_the_round(trained, share, count, images):
    watched = Watched(trained, in_window=False)
    session = watched.session
    first = images_of_first_stage(
        session.project, choices_of(session, count, per_image_share=share)
    )
    assert len(first) == images == len(set(first))
    assert first == images_of_first_stage(
        session.project, choices_of(session, count, per_image_share=share)
    )
    session.predict(first[:1])
    again = images_of_first_stage(
        session.project, choices_of(session, count, per_image_share=share)
    )
    assert len(again) == images - 1 and first[0] not in again
    session.predict()
    assert (
        images_of_first_stage(session.project, choices_of(session, count, per_image_share=share))
        is None
    )
    session.close()
