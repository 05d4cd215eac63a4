"""Regions of one's own: queued, trained on, exported with their kind, and in no estimate."""

import csv
import shutil

import numpy as np
import pytest
from fakes import FakeSegmenters
from tiny_data import write_pool

from napari_active_seg.acquisition import RegionKind, ScoredRegion
from napari_active_seg.errors import BadInputError, NothingToDoError
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import PLACED_EVENT, WITHDRAWN_EVENT, Project, Split
from napari_active_seg.regions import Effort, Region, RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.proposals.inputs import evaluation_quotas
from napari_active_seg.session.report import write_project_report
from napari_active_seg.session.trust.figures import images_for_figures
from napari_active_seg.session.trust.scoreboard import control_report, scoreboard


def free_place(session, image_id, side=16):
    """Return the first free square of an image, on a grid."""
    height, width = session.project.images.ref(image_id).shape
    taken = [q.region for q in session.state.queue]
    return next(
        (y, x)
        for y in range(0, height - side + 1, side)
        for x in range(0, width - side + 1, side)
        if not any(Region(image_id, y, x, side, side).overlaps(r) for r in taken)
    )


def label(session, region_id, value, annotator="Anna"):
    shape = session.project.regions.get(region_id).region.shape
    session.project.labels.save(
        region_id, np.full(shape, value, np.uint8), state=RegionState.DONE,
        annotator=annotator, effort=Effort(active_s=4.0, strokes=2),
    )  # fmt: skip
    session.context.update(queue=session.project.regions.queue())


def pool_ids(session):
    return [ref.id for ref in session.project.images.all(Split.POOL)]


# --- placed ----------------------------------------------------------------------------------


def test_an_own_region_is_queued_behind_the_current_one_and_selected(session):
    session.proposals.propose(count=3, size=16)
    before = [q.id for q in session.state.proposed_regions]
    session.select_region(before[1])
    first_image, second_image = pool_ids(session)[:2]
    first = session.manual.add_region(first_image, *free_place(session, first_image), size=16)
    assert session.state.region_id == first and session.state.image_id == first_image
    second = session.manual.add_region(
        second_image, *free_place(session, second_image, 32), height=20, width=32
    )
    assert [q.id for q in session.state.proposed_regions] == [
        before[0], before[1], first, second, before[2]
    ]  # fmt: skip
    queued = session.project.regions.get(second)
    assert queued.kind is RegionKind.MANUAL and queued.region.shape == (20, 32)
    assert queued.draw_probability is None and queued.proposal is None and queued.round == 1
    assert queued.placed_by == session.project.config.annotator
    assert queued.reason == "chosen by hand; about 3 s, a guess"
    (event,) = session.project.events.of(second, what=PLACED_EVENT)
    assert event.annotator == queued.placed_by
    assert {k: event.facts[k] for k in ("image_id", "y", "height")} == {
        "image_id": second_image, "y": queued.region.y, "height": 20
    }  # fmt: skip
    session.next_region()
    assert session.state.region_id == before[2]
    with Project.open(session.project.folder, read_only=True) as again:
        assert [q.id for q in again.regions.queue()] == [q.id for q in session.state.queue]


def test_the_first_region_of_a_project_may_be_ones_own(session, tmp_path):
    image_id = pool_ids(session)[0]
    region_id = session.manual.add_region(image_id, 8, 8, size=32)
    assert session.project.regions.get(region_id).round == 0
    label(session, region_id, 1)
    assert [q.id for q in session.state.done_in_pool] == [region_id]
    write_project_report(session, tmp_path / "report.html")
    assert "chosen by hand" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 0, 8), "needs 16 x 16 pixels at least, this one has 8 x 8"),
        ((80, 0, 32), "does not lie inside its image of 96 x 128"),
        ((-1, 0, 32), "starts at 0 or later"),
    ],
)
def test_a_region_that_does_not_fit_is_refused(session, place, message):
    y, x, size = place
    with pytest.raises(BadInputError, match=message):
        session.manual.add_region(pool_ids(session)[0], y, x, size=size)
    assert not session.state.proposed_regions


def test_a_pixel_gets_one_label_only(session):
    image_id = pool_ids(session)[0]
    there = session.manual.add_region(image_id, 10, 10, size=32)
    with pytest.raises(BadInputError, match=f"overlaps region {there} at y 10, x 10"):
        session.manual.add_region(image_id, 41, 41, size=32)
    session.manual.add_region(image_id, 42, 42, size=32)
    session.proposals.propose(count=2, size=32)
    regions = [q.region for q in session.state.proposed_regions]
    assert not any(a.overlaps(b) for a in regions for b in regions if a is not b)


def test_images_that_measure_the_model_take_no_region_by_hand(tmp_path):
    session = session_of_twelve(tmp_path)
    for split in (Split.VALIDATION, Split.TEST):
        image_id = session.project.images.all(split)[0].id
        with pytest.raises(NothingToDoError, match=rf"measure the model \({split.display_name}\)"):
            session.manual.add_region(image_id, 0, 0, size=16)
    with pytest.raises(BadInputError):
        session.manual.add_region("no such image", 0, 0)
    session.close()


def test_an_untouched_own_region_can_be_discarded_and_a_painted_one_stays(session):
    session.proposals.propose(count=2, size=16)
    before = session.state.region_id
    image_id = pool_ids(session)[0]
    region_id = session.manual.add_region(image_id, *free_place(session, image_id), size=16)
    session.manual.discard(region_id)
    assert session.state.region_id == before
    assert region_id not in [q.id for q in session.state.queue]
    (gone,) = session.project.events.named(WITHDRAWN_EVENT)
    assert gone.subject == region_id
    with pytest.raises(NothingToDoError, match="is not an own region"):
        session.manual.discard(before)
    painted = session.manual.add_region(image_id, *free_place(session, image_id), size=16)
    label(session, painted, 1)
    with pytest.raises(NothingToDoError, match="skip it"):
        session.manual.discard(painted)


def test_choosing_again_leaves_own_regions_alone(session):
    for _ in range(2):
        session.proposals.propose(count=3, size=16, strategy="uncertain-regions")
        if session.state.model is None:
            session.labels.answer_from_masks(session.project.folder.parent / "data" / "masks")
            session.train()
    image_id = pool_ids(session)[0]
    own = session.manual.add_region(image_id, *free_place(session, image_id), size=16)
    session.navigation.back()
    assert own not in session.proposals.untouched()
    session.proposals.reselect("uncertain-regions", size=16, measure="margin")
    assert own in [q.id for q in session.state.queue]


def test_the_reason_tells_how_unsure_the_model_is_there(session):
    image_id = pool_ids(session)[0]
    first = session.manual.add_region(image_id, 0, 0, height=96, width=100)
    target = np.zeros((96, 100), np.uint8)
    target[session.read_image(image_id)[:, :100].mean(axis=2) < 150] = 1
    session.labels.save(first, target, state=RegionState.DONE)
    session.train()
    other = pool_ids(session)[1]
    session.predict()
    y, x = np.unravel_index(session.uncertainty(other)[:64, :64].argmax(), (64, 64))
    region_id = session.manual.add_region(other, int(y), int(x), size=32)
    queued = session.project.regions.get(region_id)
    assert queued.reason.startswith("chosen by hand; ")
    assert "where it is least sure" in queued.reason
    inside = session.uncertainty(other)[queued.region.slices]
    assert queued.information == pytest.approx(float(inside.mean()))


# --- trained on, handed on --------------------------------------------------------------------


def test_own_regions_are_trained_on_like_others(session):
    image_id = pool_ids(session)[0]
    region_id = session.manual.add_region(image_id, 20, 30, size=32)
    target = np.zeros((32, 32), np.uint8)
    target[:16] = 1
    session.labels.save(region_id, target, state=RegionState.DONE)
    session.train()
    (example,) = session.context.networks.trained[-1].seen
    seen = example.target[example.target != 255]
    assert seen.size == 32 * 32 and (seen == 1).sum() == 16 * 32


def test_their_kind_goes_out_with_an_export_and_comes_in_again(session, tmp_path, pool):
    image_id = pool_ids(session)[0]
    region_id = session.manual.add_region(image_id, 20, 30, size=32)
    label(session, region_id, 1)
    session.export("masks", tmp_path / "out")
    with (tmp_path / "out" / "regions.csv").open(newline="") as file:
        rows = {row["region"]: row for row in csv.DictReader(file)}
    assert rows[region_id]["kind"] == "manual"
    assert rows[region_id]["reason"].startswith("chosen by hand")
    assert rows[region_id]["draw_probability"] == "" and rows[region_id]["strategy"] == ""
    folder = create_project(
        tmp_path / "other",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    other = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    other.labels.import_from(tmp_path / "out")
    (manual,) = [q for q in other.state.queue if q.kind is RegionKind.MANUAL]
    assert manual.region.shape == (32, 32) and manual.state is RegionState.DONE
    other.close()


# --- estimates -------------------------------------------------------------------------------


def session_of_twelve(tmp_path):
    """A session over twelve pictures: four labelled for validation, two for test."""
    pool = write_pool(tmp_path / "twelve", 12)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.33, test_fraction=0.2),
    ).folder
    session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    session.masks = pool / "masks"
    return session


def answered(session, **more):
    session.proposals.propose(**{"count": 6, "size": 24, "validation": 0.0, **more})
    session.labels.answer_from_masks(session.masks)


def trained(session):
    session.train(accept_worse=True)


def place_wrong_labels(session):
    """Add own regions with labels that are wrong nearly everywhere; return their ids."""
    added = []
    for image_id in 3 * pool_ids(session):
        try:
            place = free_place(session, image_id)
        except StopIteration:
            continue
        added.append(session.manual.add_region(image_id, *place, size=16))
        label(session, added[-1], 1)
    return added


def test_no_estimate_changes_when_own_regions_are_added(tmp_path):
    session = session_of_twelve(tmp_path)
    answered(session, control=0.0, unit="images", count=2)
    trained(session)
    answered(session, control=0.0, strategy="power-regions", unit="images", count=3)
    answered(session, control=0.5, count=4)
    session.close()
    shutil.copytree(tmp_path / "p", tmp_path / "q")
    found = {}
    for name in ("p", "q"):
        opened = Session(Project.open(tmp_path / name), FakeSegmenters(), InlineRunner())
        opened.masks = tmp_path / "twelve" / "masks"
        added = place_wrong_labels(opened) if name == "q" else []
        trained(opened)
        project = opened.project
        assert opened.context.networks.trained[-1].seen
        first = [model for model in project.models.all() if model.id == "m001"]
        rows = scoreboard(project, first)
        found[name] = {
            "rows": rows,
            "controls": control_report(project).figures(),
            "plan": evaluation_quotas(project),
            "measured": {e.subject for e in project.events.named("measured before training")},
            "figures": images_for_figures(project),
        }
        opened.proposals.propose(count=6, size=16)
        latest = [q for q in opened.state.queue if q.round == opened.state.round]
        found[name]["controls due"] = sum(q.kind is RegionKind.CONTROL for q in latest)
        if name == "q":
            assert len(added) >= 3
            assert not set(added) & found[name]["measured"]
            assert all(project.regions.get(i).draw_probability is None for i in added)
        opened.close()
    sources = {row.source for row in found["p"]["rows"]}
    assert {"validation", "control squares"} <= sources
    assert any(s.startswith("drawn regions") for s in sources)
    assert any(row.intervals for row in found["p"]["rows"] if row.source.startswith("drawn"))
    assert found["p"] == found["q"]


def test_an_own_region_on_a_validation_image_is_never_measured_on(tmp_path):
    """It comes that way out of another project that trained on the image."""
    session = session_of_twelve(tmp_path)
    answered(session)
    trained(session)
    plan = evaluation_quotas(session.project)
    before = session.evaluate().figures()
    image_id = session.project.images.all(Split.VALIDATION)[0].id
    own = ScoredRegion(Region(image_id, 0, 0, 48, 48), 0.0, 1.0, "", RegionKind.MANUAL)
    region_id = session.project.regions.add_known(own, 1)
    whole = session.labels.so_far(image_id)
    label(session, region_id, 1 - int(whole[:48, :48].max()))
    assert (session.labels.so_far(image_id) != whole).any()
    assert session.evaluate().figures() == before
    assert evaluation_quotas(session.project) == plan
    session.close()
