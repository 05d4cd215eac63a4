"""What a project finds out about its own models, and what it refuses to say."""

import json

import numpy as np
import pytest
from fakes import FakeSegmenters
from tiny_data import write_pool

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import ConfigError, NothingToDoError
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import OFFERED_EVENT, Project
from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.trust.figures import project_figures
from napari_active_seg.session.trust.scoreboard import control_report
from napari_active_seg.session.trust.store import AGREED


@pytest.fixture
def untrained(tmp_path):
    """A session over twelve pictures: four labelled for validation, two for test."""
    pool = write_pool(tmp_path / "twelve", 12)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.33, test_fraction=0.2),
    ).folder
    opened = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    opened.masks = pool / "masks"
    yield opened
    opened.close()


@pytest.fixture
def trained(untrained):
    """The same with a first model."""
    lap(untrained, 4)
    return untrained


def propose(session, count=4, **more):
    session.proposals.propose(
        **{"count": count, "size": 24, "control": 0.0, "validation": 0.0, **more}
    )
    return [q for q in session.state.queue if q.round == session.state.round]


def lap(session, count=4, **more):
    new = propose(session, count, **more)
    session.labels.answer_from_masks(session.masks)
    session.train()
    return new


def calibrate(session, **more):
    return session.trust.calibrate(**more)


# --- calibration ---------------------------------------------------------------------------------


def test_a_calibration_is_used_by_maps_and_proposals_until_it_is_taken_back(trained):
    calibrate(trained)
    record = trained.trust.calibration()
    assert set(record.calibrations) == {"temperature", "vector", "platt"}
    assert record.n_images == 4
    assert trained.state.calibrated == ""
    image_id = trained.state.image_ids[0]
    trained.predict()
    plain = trained.prediction(image_id).mean_probs
    trained.trust.use_calibration("temperature")
    assert trained.state.calibrated == record.calibrations["temperature"].summary
    assert image_id not in trained.state.predicted  # what is kept was said without it
    trained.predict()
    changed = trained.prediction(image_id).mean_probs
    assert np.abs(changed - plain).max() > 0.01
    propose(trained, 2, strategy="uncertain-regions")
    assert any("calibrated probabilities: temperature" in n for n in trained.proposals.notes)
    trained.trust.take_calibration_back()
    assert trained.state.calibrated == ""
    np.testing.assert_array_equal(trained.prediction(image_id).mean_probs, plain)


def test_figures_of_a_calibration_are_of_images_left_out(trained):
    trial = calibrate(trained)
    record = trained.trust.calibration()
    assert record.plain == trial.plain
    for method, tried in trial.methods.items():
        assert record.figures[method] == dict(tried.figures)
        assert record.bins[method].counts.tolist() == tried.bins.counts.tolist()
        assert record.bins[method].counts.sum() == trial.n_pixels
    assert "ECE" in record.describe_change("vector")


def test_the_next_model_is_calibrated_anew_and_an_earlier_one_keeps_its_own(trained):
    calibrate(trained, use="vector")
    first = trained.state.calibrated
    assert first.startswith("vector")
    lap(trained, 2)
    assert trained.state.model.id == "m002"
    assert trained.trust.calibration().model_id == "m002"
    assert trained.state.calibrated.startswith("vector")
    trained.use_model("m001")
    assert trained.state.calibrated == first


def test_a_calibration_does_not_outlive_what_it_was_fitted_for(trained):
    calibrate(trained, use="platt")
    trained.maintenance.configure(temperature=2.0)
    assert trained.state.calibrated == ""
    assert "waits" in trained.trust.describe_calibration()
    trained.maintenance.configure(temperature=1.0)
    assert trained.state.calibrated.startswith("platt")
    trained.maintenance.add_class("third")
    assert trained.state.calibrated == ""


def test_what_cannot_be_calibrated_is_refused(trained, session):
    with pytest.raises(ConfigError, match="vector"):
        trained.trust.calibrate(use="vectr")
    with pytest.raises(NothingToDoError, match="calibrate first"):
        trained.trust.use_calibration("vector")
    with pytest.raises(ConfigError, match="no calibration"):
        trained.maintenance.configure(calibration="plat")
    propose(session, 3)
    session.labels.answer_from_masks(session.project.folder.parent / "data" / "masks")
    session.train()
    with pytest.raises(NothingToDoError, match="two at least"):
        session.trust.calibrate()  # one validation image would mark its own work


# --- the scoreboard ------------------------------------------------------------------------------


def row_of(session, source):
    return [row for row in session.trust.scoreboard() if row.source.startswith(source)]


def test_validation_and_audit_have_rows_of_their_own(trained):
    (validation,) = row_of(trained, "validation")
    assert validation.n_images == 4
    assert validation.intervals["nll"].low < validation.intervals["nll"].high
    assert not row_of(trained, "test")
    trained.trust.score_test()
    (test,) = row_of(trained, "test")
    assert test.n_images == 2
    assert "too few images for limits" in test.summary
    assert np.isnan(test.intervals["accuracy"].low)


def test_control_squares_are_scored_by_the_model_before_and_pooled(trained):
    lap(trained, 4, control=0.5)
    lap(trained, 4, control=0.5)
    of_first, of_second = (control_report(trained.project, m) for m in ("m001", "m002"))
    assert of_first.confusion.n_pixels == of_second.confusion.n_pixels == 2 * 24 * 24
    together = row_of(trained, "all control squares")[0]
    assert together.n_places == 4
    assert together.model_id == "m001 to m002"
    assert control_report(trained.project, "m003") is None
    every = control_report(trained.project)
    assert every.confusion.n_pixels == 4 * 24 * 24
    drawn = {named.name: named for named in project_figures(trained.project)}
    rows = drawn["reliability-control-squares"].rows
    assert sum(row[2] for row in rows) == 4 * 24 * 24


def test_chosen_regions_say_nothing_of_all_and_that_is_said(trained):
    lap(trained, 4, strategy="uncertain-regions")
    (chosen,) = row_of(trained, "chosen regions")
    assert not chosen.intervals
    assert "chosen and not drawn" in chosen.summary


def test_drawn_regions_are_weighed_by_their_probabilities(trained):
    new = propose(trained, 4, strategy="power-regions", stride=24, size=24)
    uid = new[0].proposal
    (offered,) = [e for e in trained.project.events.of(uid) if e.what == OFFERED_EVENT]
    assert offered.facts["n_units"] == new[0].drawn_from
    assert [q.drawn_from for q in new] == [new[0].drawn_from - m for m in range(4)]
    assert all(0 < q.draw_probability < 1 for q in new)
    trained.labels.answer_from_masks(trained.masks)
    trained.train()
    (row,) = row_of(trained, "drawn regions, round 2")
    assert row.model_id == "m001"
    if offered.facts["covered"] < 0.9:
        assert "of the pool had probability 0" in row.summary
        assert not row.intervals
    else:
        assert 0 <= row.intervals["accuracy"].value <= 1
        assert "LURE" in row.summary


def test_whole_images_drawn_by_chance_give_an_estimate(untrained):
    trained = untrained
    lap(trained, 2, unit="images")
    new = propose(trained, 3, strategy="power-regions", unit="images")
    trained.labels.answer_from_masks(trained.masks)
    trained.train()
    (row,) = row_of(trained, "drawn regions, round 2")
    assert row.n_places == len(new) == 3
    assert {"accuracy", "nll", "brier"} == set(row.intervals)
    assert row.intervals["nll"].low < row.intervals["nll"].value


def test_a_region_that_was_skipped_spoils_the_estimate_and_that_is_said(untrained):
    trained = untrained
    lap(trained, 2, unit="images")
    new = propose(trained, 3, strategy="power-regions", unit="images")
    trained.labels.answer_from_masks(trained.masks)
    trained.labels.leave(new[0].id, RegionState.SKIPPED)
    trained.train()
    (row,) = row_of(trained, "drawn regions, round 2")
    assert "1 of 3 drawn regions carry no label" in row.summary
    assert not row.intervals


# --- when to stop --------------------------------------------------------------------------------


def test_a_curve_needs_four_models_and_says_so(trained):
    curve = trained.trust.learning_curve()
    assert [point.model_id for point in curve.points] == ["m001"]
    assert curve.advice.verdict == "unclear"
    assert "4 points" in curve.advice.summary


def test_advice_comes_from_the_curve_and_from_successive_models(trained):
    for _ in range(4):
        lap(trained, 2)
    trained.trust.compare_models()
    agreements = trained.project.events.named(AGREED)
    assert [e.facts["with"] for e in agreements] == ["m001", "m002", "m003", "m004"]
    curve = trained.trust.learning_curve()
    assert curve.fit is not None
    assert curve.unit == "pixels"  # masks answered: nobody's time is known
    assert len(curve.agreements) == 4
    assert "points, 80 % between" in curve.advice.summary
    with pytest.raises(NothingToDoError, match="every model was compared"):
        trained.trust.compare_models()


def test_a_curve_over_minutes_where_time_was_measured(untrained):
    for seconds in (60.0, 90.0, 60.0, 60.0):
        for queued in propose(untrained, 2):
            target = np.zeros(queued.region.shape, np.uint8)
            target[:, ::2] = 1
            untrained.project.labels.save(
                queued.id, target, state=RegionState.DONE,
                annotator="Anna", effort=Effort(active_s=seconds),
            )  # fmt: skip
        untrained.context.update(queue=untrained.project.regions.queue())
        untrained.train(accept_worse=True)
    curve = untrained.trust.learning_curve()
    assert curve.unit == "minutes"
    assert curve.x == pytest.approx((2, 5, 7, 9))
    assert curve.step == 10
    assert "ten more minutes" in curve.advice.summary
    names = {named.name: named for named in project_figures(untrained.project)}
    assert {"cost-against-accuracy", "learning-curve", "learning-curve-pixels"} <= set(names)
    assert names["learning-curve"].head[1] == "minutes"
    assert names["learning-curve-pixels"].head[1] == "pixels"


# --- reviews, agreement, leaks -------------------------------------------------------------------


def test_a_planted_mistake_comes_first_and_goes_once_it_is_mended(trained):
    lap(trained, 8)
    done = trained.state.done_in_pool
    labels = {q.id: trained.project.labels.latest(q.id) for q in done}
    wrong = max(labels, key=lambda i: (labels[i].target == 1).sum())
    flipped = 1 - labels[wrong].target
    trained.project.labels.save(
        wrong, flipped, state=RegionState.DONE, annotator="Ben", effort=Effort()
    )
    assert trained.trust.latest_review() is None
    trained.trust.review()
    found = trained.trust.latest_review()
    findings = found.findings
    assert 0.5 < found.agreement < 1
    assert findings[0].region_id == wrong
    place, region = findings[0].place, trained.project.regions.get(wrong).region
    assert region.y <= place.y and place.y + place.height <= region.bottom
    assert "a model that has not seen them is sure of" in findings[0].describe(("a", "b"))
    trained.project.labels.save(
        wrong, labels[wrong].target, state=RegionState.DONE, annotator="Ben", effort=Effort()
    )
    assert wrong not in {f.region_id for f in trained.trust.latest_review().findings}


def test_two_people_agree_by_kappa_and_dice(trained):
    queued = trained.state.done_in_pool[0]
    target = trained.project.labels.latest(queued.id).target.copy()
    target[:4] = 1 - target[:4]
    trained.project.labels.save(
        queued.id, target, state=RegionState.DONE, annotator="Ben", effort=Effort()
    )
    together, single = trained.trust.agreements()
    assert {together.one, together.other} >= {"Ben"}
    assert single.region_id == queued.id
    assert single.n_pixels == target.size
    assert single.kappa < 1
    assert 0 < single.mean_dice < 1


def test_a_copy_on_the_other_side_is_reported(tmp_path):
    from PIL import Image

    pool = write_pool(tmp_path / "data", 6)
    first = sorted((pool / "images").iterdir())[0]
    mirrored = Image.open(first).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(pool / "images" / "copy.png")
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.3),
    ).folder
    session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    splits = {i: p.split for i, p in session.project.images.placements().items()}
    both_sides = splits["copy.png"] != splits[first.name]
    for _ in range(2):  # the second look reads what the first kept
        session.trust.find_leaks()
        assert ("look the same" in session.trust.leaks()) == both_sides
    assert session.project.looks.is_file()
    session.close()


# --- figures -------------------------------------------------------------------------------------


def test_every_figure_of_the_paper_is_drawn_with_its_numbers(trained):
    for _ in range(2):
        lap(trained, 3)
    trained.predict()
    calibrate(trained, use="best")
    trained.predict()
    drawn = {named.name: named for named in project_figures(trained.project)}
    assert set(drawn) >= {
        "figure-3-accuracy",
        "figure-4-uncertainty",
        "figure-5-calibration",
        "figure-E1-reliability-first",
        "figure-E1-reliability-latest",
        "sparsification",
        "errors-by-uncertainty",
        "learning-curve",
    }
    accuracy = drawn["figure-3-accuracy"]
    assert [row[0] for row in accuracy.rows] == ["m001", "m002", "m003"]
    shares = [row[1] for row in accuracy.rows]
    assert shares == sorted(shares) and shares[-1] < 100
    pixels = sum(row[1] + row[2] for row in drawn["figure-4-uncertainty"].rows)
    pool = [i for i in trained.state.image_ids if i not in trained.state.validation_ids]
    refs = [trained.project.images.ref(i) for i in pool]
    assert pixels == sum(ref.shape[0] * ref.shape[1] for ref in refs)
    for named in drawn.values():
        assert named.rows and len(named.head) == len(named.rows[0])


def test_a_report_says_what_can_be_trusted(trained):
    from napari_active_seg.session.report import project_report

    calibrate(trained, use="best")
    trained.trust.review()
    page = project_report(trained)._repr_html_()
    assert "From which" not in page
    assert "What is known, and from which labels" in page
    assert "never used to choose" not in page
    assert "fixed once" in page
    assert "On images left out" in page


def test_measurements_survive_reopening_and_json(trained):
    before = trained.trust.evaluation("m001").figures()
    trained.close()
    with Project.open(trained.project.folder, read_only=True) as project:
        session = Session(project, FakeSegmenters(), InlineRunner())
        assert session.trust.evaluation("m001").figures() == before
        json.dumps([dict(e.facts) for e in project.events.all()])
        assert {q.kind for q in project.regions.queue()} >= {RegionKind.INITIAL}
