import json

import numpy as np
import pytest
from fakes import FakeSegmenters
from PIL import Image
from scipy import ndimage
from tiny_project import add_regions, paint

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.cli.project import _facts
from napari_active_seg.errors import (
    BadInputError,
    BusyError,
    ConfigError,
    NothingToDoError,
    StoppedError,
)
from napari_active_seg.importers import MaskFolder
from napari_active_seg.jobs import InlineRunner, Job, JobKind, JobResult, ThreadRunner
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import UNLABELLED, Effort, RegionState
from napari_active_seg.session import Session, resolve_view
from napari_active_seg.session.labels.whole_images import LabelledImage
from napari_active_seg.session.prediction.evaluate import _known_part
from napari_active_seg.session.proposals.inputs import _earlier
from napari_active_seg.session.report import write_project_report
from napari_active_seg.session.trust.learning_curve import Spending


def propose(session, **more):
    session.proposals.propose(**{"count": 4, "size": 24, **more})


def one_lap(session, pool, **more):
    propose(session, **more)
    session.labels.answer_from_masks(pool / "masks")
    session.train()


def test_one_lap_ends_with_a_measured_model_in_use(session, pool):
    one_lap(session, pool)
    model = session.state.model
    assert model.id == "m001"
    assert model.metrics["mean_dice"] > 0.9
    assert session.project.models.path("m001").is_file()
    assert session.state.counts[RegionState.DONE] == 5  # with the validation image
    session.predict()
    assert session.state.predicted == set(session.state.image_ids)
    one_lap(session, pool, measure="entropy")
    assert session.state.model.id == "m002"
    chosen = [q for q in session.state.queue if q.kind is RegionKind.CHOSEN]
    assert len(chosen) == 4
    assert all("against" in q.reason for q in chosen)


def test_first_regions_are_drawn_over_the_pool_and_never_over_validation(session):
    propose(session, count=6)
    validation = {ref.id for ref in session.project.images.all(Split.VALIDATION)}
    drawn = [q for q in session.state.queue if q.kind is RegionKind.INITIAL]
    assert len(drawn) == 6
    assert not validation & {q.region.image_id for q in drawn}
    assert session.state.region_id == drawn[0].id
    assert session.state.image_id == drawn[0].region.image_id


def test_validation_labels_never_train(session, pool):
    one_lap(session, pool)
    (validation,) = session.project.images.all(Split.VALIDATION)
    whole = session.read_image(validation.id)
    for example in session.context.networks.trained[-1].seen:
        assert example.image.shape != whole.shape or not (example.image == whole).all()
    assert _labelled(session) == 4 * 24 * 24


def _labelled(session):
    seen = session.context.networks.trained[-1].seen
    return sum(int((example.target != UNLABELLED).sum()) for example in seen)


def test_training_examples_are_unlabelled_outside_their_region(session, pool):
    one_lap(session, pool)
    for example in session.context.networks.trained[-1].seen:
        labelled = (example.target != UNLABELLED).sum()
        assert labelled % (24 * 24) == 0  # one region, or some that are near each other
        assert example.target.size > labelled


@pytest.mark.parametrize("measure", ["bald", "entropy"])
def test_same_seed_proposes_the_same_regions(project_folder, pool, tmp_path, measure):
    import shutil

    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        shutil.copytree(project_folder, folder)
        opened = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
        one_lap(opened, pool)
        propose(opened, measure=measure)
        found.append([q.region for q in opened.state.queue if q.round == 2])
        opened.close()
    assert found[0] == found[1]


def test_random_strategy_records_its_chances(session, pool):
    one_lap(session, pool)
    propose(session, strategy="random-regions")
    rows = session.project.database.rows(
        "SELECT draw_probability, drawn_from FROM regions WHERE round = 2"
    )
    assert all(r["draw_probability"] == pytest.approx(1 / r["drawn_from"]) for r in rows)
    assert {q.kind for q in session.state.queue if q.round == 2} == {RegionKind.RANDOM}


def test_proposing_until_nothing_is_left_says_so(session):
    propose(session, count=500)
    with pytest.raises(NothingToDoError, match="no free place"):
        propose(session)


def test_missing_image_does_not_stop_the_rest(session, pool, caplog):
    session.project.images.path("img0.png").unlink()
    one_lap(session, pool)
    session.predict()
    assert "img0.png" not in session.state.predicted
    assert len(session.state.predicted) == 3
    assert "img0.png is missing" in caplog.text


def test_verbs_without_what_they_need_name_the_remedy(session):
    with pytest.raises(NothingToDoError, match="no region is done"):
        session.train()
    with pytest.raises(NothingToDoError, match="train first"):
        session.predict()
    with pytest.raises(ConfigError, match="did you mean 'masks'"):
        session.export("mask", session.project.folder.parent / "x")
    with pytest.raises(ConfigError, match="count"):
        session.proposals.propose(count=0)
    with pytest.raises(ConfigError, match="epochs"):
        session.train(epochs=0)
    with pytest.raises(ConfigError, match="only"):
        session.labels.answer_from_masks(session.project.folder, only="some")


def test_label_is_on_the_disk_before_the_state_says_so(session):
    propose(session)
    queued = session.state.region
    target = np.zeros(queued.region.shape, np.uint8)
    seen = []

    def look(new, old):
        with Project.open(session.project.folder, read_only=True) as reader:
            seen.append(reader.labels.latest(queued.id))

    session.state_changed.connect(look)
    session.labels.save(queued.id, target, state=RegionState.DONE)
    assert seen[0] is not None
    assert (seen[0].target == target).all()


def test_label_that_is_no_target_is_refused_and_nothing_changes(session):
    propose(session)
    queued = session.state.region
    with pytest.raises(BadInputError, match="not a class"):
        session.labels.save(queued.id, np.full(queued.region.shape, 9, np.uint8))
    assert session.labels.latest(queued.id) is None


def test_region_cannot_be_done_unpainted_but_can_be_skipped(session):
    propose(session)
    first = session.state.region_id
    with pytest.raises(NothingToDoError, match="nothing is painted"):
        session.labels.set_state(first, RegionState.DONE)
    session.labels.set_state(first, RegionState.SKIPPED)
    session.next_region()
    assert session.state.region_id != first
    assert session.state.counts[RegionState.SKIPPED] == 1


def test_later_regions_come_last(session):
    propose(session)
    first = session.state.open_regions[0].id
    session.labels.set_state(first, RegionState.LATER)
    assert session.state.open_regions[-1].id == first


def test_each_change_is_announced_once_with_both_states(session):
    changes = []
    session.state_changed.connect(lambda new, old: changes.append((new, old)))
    session.select_image("img1.png")
    session.select_image("img1.png")
    assert len(changes) == 1
    assert changes[0][0].image_id == "img1.png" != changes[0][1].image_id


def test_earlier_model_can_be_used_again(session, pool):
    one_lap(session, pool)
    one_lap(session, pool)
    session.use_model("m001")
    assert session.state.model.id == "m001"
    with Project.open(session.project.folder, read_only=True) as again:
        assert again.models.in_use().id == "m001"


def test_reopened_session_goes_on_where_it_was(session, pool):
    one_lap(session, pool)
    propose(session)
    session.close()
    again = Session(Project.open(session.project.folder), FakeSegmenters(), InlineRunner())
    assert again.state.open_regions == session.state.open_regions
    assert again.state.region == again.state.open_regions[0]
    assert again.state.model == session.state.model
    again.predict()
    again.close()


def background(project_folder):
    return Session(Project.open(project_folder), FakeSegmenters(), ThreadRunner())


def test_the_same_job_is_refused_while_it_runs_others_wait_and_labels_go_on(project_folder, pool):
    session = background(project_folder)
    propose(session)
    queued = session.state.region
    with pytest.raises(NothingToDoError):
        session.train(epochs=10**9)  # nothing is done
    session.labels.answer_from_masks(pool / "masks")
    propose(session)
    training = session.train(epochs=10**7, wait=False)
    assert session.state.job is JobKind.TRAIN
    with pytest.raises(BusyError, match="training is under way"):
        session.train()
    with pytest.raises(BusyError, match="training is under way"):
        session.labels.answer_from_masks(pool / "masks")
    proposing = session.proposals.propose(wait=False)
    assert session.state.jobs == (JobKind.TRAIN, JobKind.PROPOSE)
    with pytest.raises(BusyError, match="proposing is under way"):
        session.proposals.propose()
    queued = session.state.region
    session.labels.save(queued.id, np.zeros(queued.region.shape, np.uint8))
    assert session.state.region.state is RegionState.IN_PROGRESS
    session.cancel()
    with pytest.raises(StoppedError):
        training.result()
    assert proposing.cancelled()
    assert session.state.job is None
    assert session.state.model is None
    assert not list((session.project.folder / "models").iterdir())
    session.close()


def test_stale_answer_is_dropped(session, pool):
    one_lap(session, pool)
    before = session.state
    jobs = session.context.jobs
    stale = Job(JobKind.PREDICT, jobs._generation - 1, lambda token, report: None)
    jobs._deliver(JobResult(stale, result="of yesterday"))
    jobs._deliver(JobResult(stale, error=ValueError("of yesterday")))
    assert session.state == before


def test_failure_raised_at_the_call_and_emitted_once(session):
    failures = []
    session.failed.connect(failures.append)
    with pytest.raises(NothingToDoError) as caught:
        session.train()
    assert failures == [caught.value]
    session.wait()  # nothing is left to raise


def test_failure_not_erased_by_next_verb(session, pool):
    """Each verb has its own future: what the next one does changes nothing about it."""
    failing = session.train(wait=False)
    proposal = session.proposals.propose(count=2, size=24)
    assert len(proposal.regions) == 2
    with pytest.raises(NothingToDoError):
        failing.result()


def test_verbs_return_their_results(session, pool):
    proposal = session.proposals.propose(count=4, size=24)
    queued = [q.region for q in session.state.queue if q.round == proposal.round]
    assert queued == [r.region for r in proposal.regions]
    assert session.labels.answer_from_masks(pool / "masks").regions == 4
    model = session.train()
    assert model == session.state.model == session.last_training.model
    response = session.predict()
    assert set(response.image_ids) == session.state.predicted
    future = session.evaluate(wait=False)
    assert future.result(timeout=0).figures() == session.evaluate().figures()


def test_oracle_reveals_the_region_and_no_more(session, pool):
    oracle = MaskFolder.from_folder(
        pool / "masks", session.project.images.all(), n_classes=len(session.state.schema)
    )
    propose(session)
    region = session.state.region.region
    whole = oracle.whole(region.image_id)
    assert (oracle.read_target(region) == whole[region.slices]).all()
    assert oracle.read_target(region).shape == region.shape


@pytest.mark.parametrize(("only", "done"), [("proposed", 4), ("images", 3), ("all", 7)])
def test_masks_answer_what_they_are_asked(session, pool, only, done):
    propose(session)
    before = session.state.counts[RegionState.DONE]
    session.labels.answer_from_masks(pool / "masks", only=only)
    assert session.state.counts[RegionState.DONE] - before == done


def test_export_composes_labels_and_keeps_255_elsewhere(session, pool, tmp_path):
    propose(session)
    session.labels.answer_from_masks(pool / "masks")
    done = session.export("masks", tmp_path / "out")
    from PIL import Image

    for queued in session.state.queue:
        if queued.kind is RegionKind.IMPORTED:
            continue
        name = queued.region.image_id
        written = np.asarray(Image.open(tmp_path / "out" / "masks" / "pool" / name))
        truth = np.asarray(Image.open(pool / "masks" / name)) // 255
        inside = np.zeros(written.shape, bool)
        for other in session.state.queue:
            if other.region.image_id == name:
                inside[other.region.slices] = True
        assert (written[inside] == truth[inside]).all()
        assert (written[~inside] == UNLABELLED).all()
    assert done.regions == 5


def test_evaluation_is_of_the_fixed_validation(session, pool):
    one_lap(session, pool)
    report = session.evaluate()
    (validation,) = session.project.images.all(Split.VALIDATION)
    assert report.image_ids == (validation.id,)
    assert report.figures() == session.state.model.metrics


def test_view_follows_the_state(session, pool):
    view = resolve_view(session.state)
    assert view.can_propose
    assert not (view.can_predict or view.can_paint or view.can_cancel)
    propose(session)
    assert resolve_view(session.state).can_paint
    one_lap(session, pool)
    view = resolve_view(session.state)
    assert view.can_predict
    assert view.can_train
    assert "m001" in view.status
    import dataclasses

    busy = resolve_view(dataclasses.replace(session.state, jobs=(JobKind.TRAIN, JobKind.PREDICT)))
    assert busy.can_cancel and busy.can_propose
    assert not (busy.can_train or busy.can_predict)
    assert busy.status == "Working: training; then predicting"


def test_state_holds_no_arrays_and_compares_by_value(session, pool):
    one_lap(session, pool)
    assert hash(session.state.queue) == hash(tuple(session.state.queue))
    json.dumps([q.id for q in session.state.queue])
    assert "array" not in repr(session.state)


def test_folder_of_new_images_is_predicted_into_files(session, pool, tmp_path):
    import tifffile
    from PIL import Image

    one_lap(session, pool)
    session.predictions.predict_folder(pool / "images", tmp_path / "out", measure="entropy")
    mask = np.asarray(Image.open(tmp_path / "out" / "masks" / "img3.png"))
    truth = np.asarray(Image.open(pool / "masks" / "img3.png")) // 255
    assert (mask == truth).mean() > 0.95
    heat = tifffile.imread(tmp_path / "out" / "uncertainty" / "img3.tif")
    assert heat.shape == mask.shape
    assert heat.dtype == np.float32
    assert 0 <= heat.min() < heat.max() <= np.log(2) + 1e-5


def test_report_is_one_file_without_outside_links(session, pool, tmp_path):
    from napari_active_seg.session.report import write_project_report

    one_lap(session, pool)
    session.predict()
    write_project_report(session, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") >= 4
    assert "m001" in page
    assert "stands for" in page


def test_a_padded_image_is_measured_as_if_it_were_not_padded(session, pool):
    one_lap(session, pool)
    image = session.read_image("img0.png")
    truth = (np.asarray(Image.open(pool / "masks" / "img0.png")) > 0).astype(np.uint8)
    ids, _ = ndimage.label(truth)

    class Source:
        def __init__(self, pixels):
            self.pixels, self.shape = pixels, pixels.shape[:2]

        def read(self, level, y, x, height, width):
            return self.pixels[y : y + height, x : x + width]

    found = {}
    for name, margin in (("as it is", 0), ("padded", 9)):
        pixels = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        known = np.pad(truth, margin, constant_values=UNLABELLED)
        objects = np.pad(ids, margin).astype(np.int32)
        labelled = LabelledImage(
            "x", lambda p=pixels: Source(p), lambda k=known: k, lambda o=objects: o
        )
        found[name] = session.evaluate([labelled]).figures()
    assert found["padded"]["object_f1"] == pytest.approx(found["as it is"]["object_f1"], abs=0.35)
    assert "object_f1" in found["as it is"]
    target = np.pad(truth, 9, constant_values=UNLABELLED)
    assert _known_part(target) == (slice(9, 105), slice(9, 137))
    target[40, 40] = UNLABELLED
    assert _known_part(target) is None
    assert _known_part(np.full((3, 3), UNLABELLED, np.uint8)) is None


def test_images_are_embedded_in_order(session, pool):
    one_lap(session, pool)
    found = session.predictions.embed(["img2.png", "img0.png"])
    expected = [
        session.read_image(i)[::8, ::8].reshape(-1, 3).mean(axis=0)
        for i in ("img2.png", "img0.png")
    ]
    assert np.allclose(found, expected, atol=1e-3)


def test_somebody_who_knows_the_truth_answers_with_effort(session, pool):
    propose(session)
    asked = []

    def annotate(truth, place, before):
        asked.append((place.region, before))
        return np.zeros_like(truth), Effort(active_s=7.0, clicks=3)

    refs = session.project.images.all()
    truth = MaskFolder.from_folder(pool / "masks", refs, n_classes=2)
    session.labels.answer_from(truth, annotate=annotate)
    first = len(asked)
    assert [before for _, before in asked] == list(range(asked[0][1], asked[0][1] + first))
    labels = session.project.labels.done([region.image_id for region, _ in asked])
    ours = [label for label in labels if label.annotator == "simulated"]
    assert len(ours) == first == 4
    assert all(label.effort.clicks == 3 and not label.target.any() for label in ours)
    session.labels.answer_from(truth, image_ids=["img1.png"], annotate=annotate)
    assert asked[-1][0].image_id == "img1.png" and len(asked) == first + 1


def test_overlapping_regions_count_their_pixels_once(session):
    """Counted twice, the labelled share went above 100 %."""
    project = session.project
    ref = project.images.all(Split.POOL)[0]
    for region_id in add_regions(project, [(ref.id, 0, 0), (ref.id, 0, 0), (ref.id, 8, 0)]):
        paint(project, region_id, 1, state=RegionState.DONE)
    once = 24 * 16
    assert Spending(project).until(float("inf"))[0] == once
    assert _earlier(project.regions.queue(), (ref,)).covered_pixels == once
    facts = _facts(project)
    assert facts["labelled_pixels"] == once
    whole = sum(r.shape[0] * r.shape[1] for r in project.images.all(Split.POOL))
    assert facts["labelled_share"] == once / whole
    assert f"{once / whole:.2%}" in _written_report(session)


def _written_report(session):
    path = session.project.folder / "report.html"
    write_project_report(session, path)
    return path.read_text(encoding="utf-8")
