import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSegmenter, FakeSegmenters

from napari_active_seg.api import open_session
from napari_active_seg.errors import (
    ActiveSegError,
    ConfigError,
    ModelError,
    NothingToDoError,
    ProjectError,
    StoppedError,
)
from napari_active_seg.jobs import InlineRunner, JobKind, ThreadRunner
from napari_active_seg.jobs.error_reports import JobFailedError
from napari_active_seg.metrics import compare
from napari_active_seg.models.segmenter import TrainOutcome
from napari_active_seg.project import Project
from napari_active_seg.regions import Region, RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.training.inputs import held_out_share

TESTS = Path(__file__).parents[2] / "support"


def lap(session, pool, count=4):
    session.proposals.propose(count=count, size=24)
    session.labels.answer_from_masks(pool / "masks")


def train(session, *, settings=None, **choices):
    session.train(settings=settings, **choices)
    return session.last_training


def spoil(monkeypatch, threshold):
    """Let every training from now on end with another threshold."""
    plain = FakeSegmenter.train

    def trained(self, data, **options):
        outcome = plain(self, data, **options)
        self.threshold = threshold
        return outcome

    monkeypatch.setattr(FakeSegmenter, "train", trained)


# --- what it starts from --------------------------------------------------------------------------


def test_training_goes_on_from_the_model_in_use_unless_told_otherwise(session, pool):
    lap(session, pool)
    assert train(session).origin == "a rule"
    assert train(session).origin == "model m001"
    assert session.context.networks.trained[-1].plan.shorter == 2
    assert train(session, init="pretrained").origin == "a rule"
    assert train(session, preset="unet").origin == "a rule"  # another network
    session.maintenance.add_class("lumen")
    assert train(session).origin == "a rule"  # other classes
    stored = json.loads(session.project.models.path("m002").read_text())["facts"]
    assert stored["started_from"] == "model m001"
    assert json.loads(stored["config"])["loss"] == "cross-entropy"


def test_warm_start_never_touches_the_model_in_use(session, pool, monkeypatch):
    lap(session, pool)
    train(session)
    before = session.project.models.path("m001").read_bytes()
    segmenter = session.context.models.get(session.state.model)
    threshold = segmenter.threshold
    spoil(monkeypatch, -5.0)
    train(session)
    assert segmenter.threshold == threshold
    assert session.project.models.path("m001").read_bytes() == before


def test_settings_hold_for_one_training_or_for_the_project(session, pool):
    lap(session, pool)
    train(session, settings={"loss": "focal", "ema_decay": "0.5", "patience": "preset"})
    plan = session.context.networks.trained[-1].plan
    assert (plan.loss, plan.ema_decay, plan.patience) == ("focal", 0.5, None)
    train(session)
    assert session.context.networks.trained[-1].plan.loss == "cross-entropy"
    session.maintenance.configure(class_balance="weights", batch_norm="frozen")
    train(session)
    plan = session.context.networks.trained[-1].plan
    assert (plan.class_balance, plan.batch_norm) == ("weights", "frozen")
    for wrong, words in (
        ({"loss": "focl"}, "did you mean 'focal'"),
        ({"ema_decay": 2}, "below 1"),
        ({"optimiser": "lion"}, "known: adam"),
        ({"nonsense": 1}, "cannot be changed"),
        ({"init": "hot"}, "known: current, pretrained, scratch"),
        ({"training_length": 0}, "training_length.*1"),
    ):
        with pytest.raises(ConfigError, match=words):
            session.train(settings=wrong)


def test_auto_takes_the_best_that_fits_and_says_how_long(session, pool):
    lap(session, pool)
    told = []
    session.progressed.connect(lambda p: told.append(p.text))
    found = train(session, preset="auto")
    assert found.model.preset == "fast"
    assert found.notes == ("auto chose fast: about 1 s to train",)
    assert "how long would slow take?" in told
    assert told.index("auto chose fast: about 1 s to train") < told.index("starting from a rule")
    assert train(session, preset="auto", settings={"training_seconds": 2000}).model.preset == "slow"
    # whoever lets it train longer waits longer
    assert train(session, preset="auto", settings={"training_length": 30}).model.preset == "slow"


def test_auto_leaves_out_what_cannot_be_built(session, pool, monkeypatch):
    lap(session, pool)
    plain = FakeSegmenters.build

    def refusing(self, preset, **options):
        if preset == "slow":
            raise ModelError("its weights are not here")
        return plain(self, preset, **options)

    monkeypatch.setattr(FakeSegmenters, "build", refusing)
    assert train(session, preset="auto", settings={"training_seconds": 2000}).model.preset == "fast"


def test_restarts_keep_the_best_by_validation(session, pool, monkeypatch):
    lap(session, pool)
    plain, made = FakeSegmenter.train, []

    def differing(self, data, *, plan, **options):
        outcome = plain(self, data, plan=plan, **options)
        made.append(plan.seed)
        self.threshold += {0: 0.5, 1: 0.0, 2: -0.5, 3: 0.3}[plan.seed]
        return outcome

    monkeypatch.setattr(FakeSegmenter, "train", differing)
    found = train(session, settings={"restarts": 4})
    assert made == [0, 1, 2, 3]
    assert found.model.seed == 1
    assert session.state.model.metrics["mean_dice"] > 0.9


def test_restarts_without_validation_are_told_apart_by_held_out_labels(tmp_path, pool, monkeypatch):
    from napari_active_seg.session.create_project import create_project

    folder = create_project(tmp_path / "p", images_dir=pool / "images", classes=("a", "b")).folder
    session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    lap(session, pool)
    plain = FakeSegmenter.train

    def looked(self, data, *, plan, **options):
        plain(self, data, plan=plan, **options)
        assert plan.holds_out
        return TrainOutcome((1.0,), 0.0, held_out=((1, {0: 0.5, 1: 0.2, 2: 0.4}[plan.seed]),))

    monkeypatch.setattr(FakeSegmenter, "train", looked)
    assert train(session, settings={"restarts": 3}).model.seed == 1
    session.close()


def test_validation_pixels_are_read_only_when_somebody_looks(session, pool):
    lap(session, pool)
    train(session)
    held_out = session.context.networks.trained[-1].data.held_out
    assert "_examples" not in vars(held_out)
    assert len(held_out) == 1 and held_out[0].target.shape == (96, 128)
    assert "_examples" in vars(held_out)


def test_regions_are_spare_once_and_for_all():
    regions = [Region("img", y, 0, 8, 8) for y in range(2000)]
    first = [held_out_share(0, region) for region in regions]
    assert first == [held_out_share(0, region) for region in regions]
    assert abs(np.mean(np.array(first) < 0.15) - 0.15) < 0.03
    assert first != [held_out_share(1, region) for region in regions]


# --- never worse ----------------------------------------------------------------------------------


def test_model_that_is_worse_is_kept_but_not_put_in_use(session, pool, monkeypatch):
    lap(session, pool)
    train(session)
    good = session.state.model
    spoil(monkeypatch, -5.0)  # calls everything class 1
    found = train(session)
    assert session.state.model.id == "m001"
    assert [m.id for m in session.state.models] == ["m001", "m002"]
    assert found.comparison.is_worse
    assert found.verdict.startswith("Worse: Dice 0.")
    assert found.verdict.endswith("m001 stays in use; m002 can be chosen in the table")
    assert session.project.models.path("m002").is_file()
    session.use_model("m002")  # the person says so
    assert session.state.model.id == "m002"
    session.use_model("m001")
    assert session.state.model.metrics == good.metrics
    assert train(session, accept_worse=True).model.in_use
    assert session.state.model.id == "m003"


def test_models_are_compared_on_the_same_labels(session, pool, monkeypatch):
    lap(session, pool)
    train(session)
    told = []
    session.progressed.connect(lambda p: told.append(p.text))
    train(session)
    assert not any("again" in text for text in told)
    validation = [
        q for q in session.state.queue if q.region.image_id in session.state.validation_ids
    ]
    label = session.labels.latest(validation[0].id)
    turned = np.where(label.target == 255, 255, 1 - label.target).astype(np.uint8)
    session.labels.save(validation[0].id, turned, state=RegionState.DONE)
    found = train(session)
    assert "measuring m002 again: the validation has changed" in told
    # On turned labels both are as bad: a comparison with the old figures would say "worse".
    assert not found.comparison.is_worse and session.state.model.id == "m003"
    old = session.state.models[0].image_scores
    assert compare(found.model.image_scores, old).is_worse


def test_without_validation_nothing_is_held_against_a_model(tmp_path, pool):
    from napari_active_seg.session.create_project import ImageSettings, create_project

    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("a", "b"),
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    lap(session, pool)
    why = (
        "No image is set aside for validation: no model is measured, and a worse one is not "
        "noticed. Make a new project with a share for validation."
    )
    assert train(session).verdict == why
    found = train(session)
    assert found.comparison is None and found.model.in_use
    assert found.verdict == f"{why} m002 could not be compared with m001. m002 is in use"
    session.close()


def test_first_model_has_nothing_to_be_compared_with(session, pool):
    lap(session, pool)
    assert train(session).verdict == ""


def score(monkeypatch, *dice):
    """Let the next trainings end with models of these scores on each validation image."""
    from napari_active_seg.session.training import task as module

    given, plain = iter(dice), module.evaluate_segmenter

    def evaluated(*inputs, **options):
        found = plain(*inputs, **options)
        scores = dict(enumerate(next(given)))
        monkeypatch.setattr(
            type(found),
            "scores_by_image",
            property(lambda self: {str(k): v for k, v in scores.items()}),
        )
        return found

    monkeypatch.setattr(module, "evaluate_segmenter", evaluated)


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ([-0.02, 0.01, -0.05, 0.03, -0.06, 0.02], True),  # lower, though not clearly
        ([-0.25] * 3, True),
        ([0.02, -0.01, 0.05, -0.03, 0.06, -0.02], False),  # higher, though not clearly
        ([0.0] * 6, False),  # a tie goes to the model that has seen more labels
        ([0.1, 0.11, 0.1, 0.12, 0.1, 0.1], False),
    ],
)
def test_model_with_the_higher_score_is_in_use_also_where_no_difference_is_clear(
    session, pool, monkeypatch, change, stays
):
    lap(session, pool)
    old = np.linspace(0.6, 0.8, len(change))
    score(monkeypatch, old, old + change)
    train(session)
    found = train(session)
    assert session.state.model.id == ("m001" if stays else "m002")
    assert found.model.in_use == (not stays)
    both = f"Dice {np.mean(old + change):.3f} vs {np.mean(old):.3f} ("
    assert both in found.verdict and f", {len(change)} images" in found.verdict
    ending = "m001 stays in use; m002" if stays else "m002 is in use; m001"
    assert found.verdict.endswith(f"{ending} can be chosen in the table")
    assert "\n" not in found.verdict
    other = found.other_model(session.state.model.id)
    assert other == ("m002" if stays else "m001")
    session.use_model(other)
    assert f"{other} " in found.verdict_when_using(session.state.model.id).rsplit(". ", 1)[1]


def test_trainings_that_bring_no_better_model_say_what_they_start_from(session, pool, monkeypatch):
    lap(session, pool)
    score(monkeypatch, *([dice] * 6 for dice in (0.8, 0.7, 0.75, 0.78, 0.79, 0.9, 0.91)))
    notes = [train(session).notes for _ in range(4)]
    assert notes[:3] == [(), (), ()]
    (note,) = notes[3]
    assert "the last 2 models (m002, m003) are not in use" in note and "from m001 again" in note
    assert train(session, init="pretrained").notes == ()  # that one starts from no model
    assert "the last 4 models (m002, m003, m004, m005)" in train(session).notes[0]
    assert session.state.model.id == "m006" and train(session).notes == ()


def test_training_on_its_own_waits_for_more_labels_where_the_old_model_stays(
    project_folder, pool, monkeypatch
):
    session = Session(
        Project.open(project_folder), FakeSegmenters(), InlineRunner(), follows_screen=True
    )
    lap(session, pool, count=4)
    train(session)
    spoil(monkeypatch, -5.0)
    session.maintenance.configure(train_after=2)
    models = []
    for _ in range(2):
        session.proposals.propose(count=2, size=24)
        for queued in session.state.open_regions:
            target = np.zeros(queued.region.shape, np.uint8)
            session.labels.save(queued.id, target, state=RegionState.DONE)
            session.labels.flush()
            session.wait()
            models.append(len(session.state.models))
    assert models == [1, 2, 2, 3]  # once for each two regions, and no more
    assert session.state.model.id == "m001"
    session.close()


# --- unlabelled images ----------------------------------------------------------------------------


def test_unlabelled_images_wait_until_there_are_labels_enough(session, pool):
    lap(session, pool, count=4)
    found = train(session, settings={"semi_supervised": "consistency"})
    assert session.context.networks.trained[-1].plan.semi_supervised == "off"
    assert found.notes == (
        "too few labels to learn from unlabelled images: 4 of 8 regions done; "
        "trained on labels alone",
    )
    lap(session, pool, count=6)
    found = train(session, settings={"semi_supervised": "consistency"})
    segmenter = session.context.networks.trained[-1]
    assert segmenter.plan.semi_supervised == "consistency"
    assert "of the pool is labelled" in found.notes[0]
    window = segmenter.data.draw_window(np.random.default_rng(0), 200)
    assert window.shape == (200, 200, 3) and window.dtype == np.uint8
    assert not session.advise_on_unlabelled().summary.startswith("too few")


# --- the queue ------------------------------------------------------------------------------------


def test_what_waits_is_frozen_when_its_turn_comes(project_folder, pool):
    session = Session(Project.open(project_folder), FakeSegmenters(), ThreadRunner())
    lap(session, pool)
    session.train(epochs=3000, wait=False)
    proposing = session.proposals.propose(count=2, size=24, wait=False)
    assert session.state.jobs == (JobKind.TRAIN, JobKind.PROPOSE)
    proposing.result()
    assert session.state.jobs == ()
    proposals = {q.reason for q in session.state.queue if q.round == 2}
    assert proposals and not any("no model yet" in reason for reason in proposals)
    session.close()


def test_image_on_screen_comes_before_all_that_waits(project_folder, pool):
    session = Session(
        Project.open(project_folder), FakeSegmenters(), ThreadRunner(), follows_screen=True
    )
    lap(session, pool)
    first, second = session.state.image_ids[:2]
    session.select_image(first)
    session.train(epochs=2000)
    session.wait()
    assert session.state.predicted == {first}  # nobody asked for it
    seen = []
    session.state_changed.connect(lambda new, old: seen.append((new.jobs, new.predicted)))
    session.train(epochs=2000, wait=False)
    session.proposals.propose(count=2, size=24, wait=False)
    session.select_image(second)
    assert session.state.jobs == (JobKind.TRAIN, JobKind.PREDICT_VISIBLE, JobKind.PROPOSE)
    session.wait()
    first_predicted = next(known for jobs, known in seen if known and JobKind.TRAIN not in jobs)
    assert second in first_predicted
    session.close()


def test_another_image_on_screen_need_not_wait_for_all_to_be_predicted(project_folder, pool):
    session = Session(
        Project.open(project_folder), FakeSegmenters(), ThreadRunner(), follows_screen=True
    )
    lap(session, pool)
    train(session)
    session.wait()
    order = []

    def note(new, old):
        order.extend(new.predicted - old.predicted)

    wanted = [i for i in session.state.image_ids if i not in session.state.predicted]
    session.state_changed.connect(note)
    predicting = session.predict(samples=300, wait=False)
    session.select_image(wanted[-1])
    assert {*predicting.result().image_ids} == set(session.state.image_ids)
    assert set(session.state.predicted) == set(session.state.image_ids)
    assert order.index(wanted[-1]) <= 1
    session.close()


def test_next_image_that_is_refused_ends_the_prediction_with_its_error(
    project_folder, pool, monkeypatch
):
    session = Session(
        Project.open(project_folder), FakeSegmenters(), ThreadRunner(), follows_screen=True
    )
    lap(session, pool)
    train(session)
    session.wait()
    errors = []
    session.context.jobs.failed.connect(errors.append)
    predicting = session.predict(samples=300, wait=False)

    def refuse():
        raise ProjectError("taken over")

    monkeypatch.setattr(session.project, "check_writable", refuse)
    with pytest.raises(ProjectError, match="taken over"):
        predicting.result(timeout=60)
    assert [str(error) for error in errors] == ["taken over"]
    session.close()


def test_stop_forgets_what_waits(project_folder, pool):
    session = Session(Project.open(project_folder), FakeSegmenters(), ThreadRunner())
    lap(session, pool)
    training = session.train(epochs=10**7, wait=False)
    proposing = session.proposals.propose(count=2, size=24, wait=False)
    session.cancel()
    assert session.state.jobs == (JobKind.TRAIN,) and proposing.cancelled()
    with pytest.raises(StoppedError):
        training.result()
    assert session.state.jobs == () and session.state.round == 1
    session.close()


def test_error_of_a_job_that_waited_is_told_and_the_queue_goes_on(project_folder, pool):
    session = Session(Project.open(project_folder), FakeSegmenters(), ThreadRunner())
    proposing = session.proposals.propose(count=2, size=24, wait=False)
    told = []
    session.failed.connect(told.append)
    training = session.train(wait=False)
    session.labels.flush()
    assert len(proposing.result().regions) == 2
    with pytest.raises(NothingToDoError):
        training.result()
    assert len(told) == 1 and session.state.jobs == ()
    session.close()


def test_surprise_in_a_worker_is_one_message_with_a_log_and_the_queue_goes_on(
    project_folder, pool, monkeypatch
):
    session = Session(Project.open(project_folder), FakeSegmenters(), ThreadRunner())
    lap(session, pool)
    told = []
    session.failed.connect(told.append)

    def broken(self, data, **options):
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(FakeSegmenter, "train", broken)
    training = session.train(wait=False)
    session.proposals.propose(count=2, size=24)
    with pytest.raises(JobFailedError) as caught:
        training.result()
    assert told == [caught.value]
    assert session.state.round == 2  # the proposal came all the same
    (log,) = (session.project.folder / "logs").iterdir()
    text = log.read_text()
    assert str(log) in str(caught.value)
    assert "Traceback" in text and "what nobody foresaw" in text and "training" in text
    session.close()


def test_memory_is_given_back_after_every_job(session, pool):
    lap(session, pool)
    train(session)
    session.predict()
    segmenter = session.context.models.get(session.state.model)
    assert segmenter.freed >= 1
    session.free_memory()
    assert session.context.models.get(session.state.model) is not segmenter
    session.predict()


# --- with torch -----------------------------------------------------------------------------------


def test_a_child_process_trains_predicts_and_proposes_as_a_thread_does(project_folder, pool):
    found = {}
    for worker in ("thread", "process"):
        with Project.open(project_folder) as project:
            project.configure(worker=worker)
        session = open_session(project_folder, in_background=True)
        session.proposals.propose(count=6, size=32)
        session.labels.answer_from_masks(pool / "masks")
        session.train(preset="fast", epochs=60, init="pretrained")
        training = session.last_training
        session.predict()
        assert session.state.predicted == set(session.state.image_ids)
        session.proposals.propose(count=2, size=24)
        report = session.evaluate()
        assert report.figures()["mean_dice"] > 0.5
        found[worker] = training
        if worker == "process":
            assert session.context.jobs._runner.process_id is not None
            session.free_memory()
            assert session.context.jobs._runner.process_id is None
            session.predict()
        session.close()
    assert found["process"].model.in_use or found["process"].comparison is not None


@pytest.mark.parametrize("how", ["it ends", "it fails", "it is stopped"])
def test_nothing_of_a_training_stays_in_memory(project_folder, pool, monkeypatch, how):
    from napari_active_seg.learning.training import trainer

    session = open_session(project_folder, in_background=True)
    lap(session, pool)
    networks, plain = [], trainer.Training._step

    def step(self, rng, moment):
        networks.append(weakref.ref(self._network))
        if moment.step == 3 and how == "it fails":
            raise ValueError("surprise")
        if moment.step == 3 and how == "it is stopped":
            session.cancel()
        return plain(self, rng, moment)

    monkeypatch.setattr(trainer.Training, "_step", step)
    with contextlib.suppress(ActiveSegError):
        session.train(preset="fast", epochs=20)
    if how == "it ends":
        session.wait()
        session.free_memory()
    gc.collect()
    assert networks and all(network() is None for network in networks)
    session.close()


@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
def test_training_that_was_killed_goes_on_from_its_last_epoch(project_folder, pool):
    with_fakes = Session(Project.open(project_folder), FakeSegmenters(), InlineRunner())
    lap(with_fakes, pool)
    with_fakes.close()
    command = [sys.executable, "-m", "napari_active_seg", "train", str(project_folder)]
    command += ["--preset", "unet", "--epochs", "10", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    unfinished = project_folder / "cache" / "training"
    deadline = time.monotonic() + 120
    while not list(unfinished.glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not list((project_folder / "models").iterdir())
    again = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    facts = json.loads(again.stdout)
    assert 0 < facts["resumed_at"] < facts["steps"] == len(facts["losses"])
    assert not list(unfinished.glob("*.safetensors"))
    with Project.open(project_folder) as project:
        assert project.models.in_use().id == "m001"


def test_replaced_values_stay_values(session, pool):
    lap(session, pool)
    found = train(session)
    assert replace(found, notes=("x",)).notes == ("x",)
    assert found.seconds == found.outcome.seconds
