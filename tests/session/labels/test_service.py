"""Labels and care of a project through the session, as the desktop uses it."""

import json

import numpy as np
import pytest
from fakes import FakeSegmenters
from PIL import Image
from psygnal import emit_queued

from napari_active_seg.errors import (
    BadInputError,
    BusyError,
    ConfigError,
    ModelError,
    NothingToDoError,
    ProjectError,
)
from napari_active_seg.importers import AnnotationOptions
from napari_active_seg.jobs import InlineRunner, JobKind
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session import Session, resolve_view
from napari_active_seg.session.labels.effort import EffortMeter


def proposed(session, count=3):
    session.proposals.propose(count=count, size=24)
    return [queued.id for queued in session.state.open_regions]


def full(value):
    return np.full((24, 24), value, np.uint8)


def lap(session, pool):
    proposed(session)
    session.labels.answer_from_masks(pool / "masks")
    session.train()


def test_paint_is_unsaved_until_the_disk_has_it_and_the_state_says_so(session):
    region, *_ = proposed(session)
    seen = []
    session.state_changed.connect(lambda new, _: seen.append((new.unsaved, new.region.state)))
    session.labels.offer(region, full(1), Effort(strokes=1))
    assert session.state.unsaved == {region}
    assert session.state.region.state is RegionState.PROPOSED
    session.labels.flush()
    assert session.state.unsaved == frozenset()
    assert session.state.region.state is RegionState.IN_PROGRESS
    assert seen[0] == ({region}, RegionState.PROPOSED)
    assert (session.labels.latest(region).target == 1).all()


def test_next_region_is_never_the_one_that_was_just_left(session):
    first, second, _ = proposed(session)
    session.labels.offer(first, full(1), Effort())
    session.labels.leave(first, RegionState.DONE)
    session.next_region()
    assert session.state.region_id == second
    session.labels.flush()
    assert session.state.open_regions[0].id == second


def test_done_needs_paint_and_can_be_undone(session):
    first, second, _ = proposed(session)
    with pytest.raises(NothingToDoError, match="nothing is painted"):
        session.labels.leave(first, RegionState.DONE)
    session.labels.offer(first, full(0), Effort())
    session.labels.leave(first, RegionState.DONE)
    session.labels.flush()
    assert first not in [q.id for q in session.state.open_regions]
    session.labels.reopen(first)
    assert session.state.region_id == first
    assert session.state.region.state is RegionState.IN_PROGRESS
    session.labels.set_state(second, RegionState.SKIPPED)
    session.labels.reopen(second)
    assert session.state.region.state is RegionState.PROPOSED


def test_label_is_taken_back_to_an_earlier_save(session):
    region, *_ = proposed(session)
    session.labels.save(region, full(1))
    session.labels.save(region, full(0), state=RegionState.DONE)
    history = session.labels.history(region)
    label = session.labels.restore(region, history[0].uid)
    assert (label.target == 1).all()
    assert session.state.region.state is RegionState.IN_PROGRESS


def test_jobs_see_every_stroke_that_was_painted_before_they_started(session, pool):
    lap(session, pool)
    region = session.state.done_in_pool[0].id
    stripes = full(0)
    stripes[::2] = 1
    session.labels.offer(region, stripes, Effort())
    session.train()
    seen = [e.target[e.target != 255] for e in session.context.networks.trained[-1].seen]
    assert sum(np.array_equal(target, stripes.ravel()) for target in seen) == 1


def test_wrong_paint_is_refused_at_the_door(session):
    region, *_ = proposed(session)
    with pytest.raises(BadInputError, match="not a class"):
        session.labels.offer(region, full(9), Effort())
    assert session.state.unsaved == frozenset()


# --- classes and models --------------------------------------------------------------------------


def test_model_answers_in_the_classes_as_they_are_now(session, pool):
    lap(session, pool)
    session.predict()
    image = session.state.image_ids[0]
    before = session.prediction(image).mean_probs
    session.maintenance.rename_class("disk", "cell")
    assert session.state.schema.names == ("background", "cell")
    assert session.prediction(image) is not None  # a name is no reason to predict again
    session.maintenance.reorder_classes(["cell", "background"])
    session.maintenance.add_class("lumen", "#123456")
    assert session.prediction(image) is None
    session.predict([image])
    after = session.prediction(image).mean_probs
    assert after.shape[0] == 3
    np.testing.assert_allclose(after[:2], before[::-1], atol=2e-4)
    assert (after[2] == 0).all()
    session.maintenance.merge_classes("cell", "background")
    session.predict([image])
    np.testing.assert_allclose(session.prediction(image).mean_probs[0], 1.0, atol=1e-6)
    for _ in range(4):
        session.maintenance.undo_class_change()
    assert session.state.schema.names == ("background", "disk")
    np.testing.assert_array_equal(session.prediction(image).mean_probs, before)


def test_model_of_a_class_that_was_undone_says_what_to_do(session, pool):
    proposed(session)
    session.labels.answer_from_masks(pool / "masks")
    session.maintenance.add_class("lumen")
    session.train()
    assert session.state.model.classes == ("background", "disk", "lumen")
    session.maintenance.undo_class_change()
    with pytest.raises(ModelError, match="one of these classes is gone"):
        session.predict()


def test_classes_do_not_change_under_a_job(session, pool):
    session.context.update(jobs=(JobKind.TRAIN,))
    with pytest.raises(BusyError, match="training is under way"):
        session.maintenance.add_class("lumen")
    session.context.update(jobs=())


# --- read-only, import, images, settings --------------------------------------------------------


def test_read_only_session_shows_everything_and_changes_nothing(session, pool, tmp_path):
    lap(session, pool)
    reader = Session(
        Project.open(session.project.folder, read_only=True), FakeSegmenters(), InlineRunner()
    )
    assert reader.state.read_only
    view = resolve_view(reader.state)
    assert not (view.can_paint or view.can_train or view.can_propose or view.can_predict)
    assert "Read-only" in view.status
    region = reader.state.queue[-1].id
    assert reader.labels.latest(region) is not None
    with pytest.raises(ProjectError, match="read-only"):
        reader.labels.set_state(region, RegionState.LATER)
    with pytest.raises(ProjectError, match="read-only"):
        reader.proposals.propose(count=1)
    reader.close()


def geojson(path, boxes):
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]],
            },
            "properties": {"classification": {"name": "Disk"}},
        }
        for y, x, h, w in boxes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_imported_outlines_are_labels_with_a_history(session, tmp_path):
    path = geojson(tmp_path / "img0.geojson", [(10, 20, 30, 40)])
    done = session.labels.import_from(path, annotator="QuPath")
    assert (done.parts, len(done.without_label)) == (1, 3)
    target = session.labels.so_far("img0.png")
    assert (target[10:40, 20:60] == 1).all() and (target == 255).sum() == 96 * 128 - 1200
    geojson(path, [(10, 20, 30, 41)])
    session.labels.import_from(
        path, options=AnnotationOptions(rest="background"), annotator="QuPath"
    )
    queued = [q for q in session.state.queue if q.region.image_id == "img0.png"]
    assert len(queued) == 1
    history = session.labels.history(queued[0].id)
    assert [s.annotator for s in history] == ["QuPath", "QuPath"]
    assert "img0.geojson" in history[0].note
    assert session.labels.so_far("img0.png").max() == 1


def test_import_that_fails_in_the_middle_keeps_what_came_before(session, tmp_path):
    (tmp_path / "m").mkdir()
    values = np.zeros((96, 128), np.uint8)
    Image.fromarray(values).save(tmp_path / "m" / "img0.png")
    Image.fromarray(values[:50]).save(tmp_path / "m" / "img1.png")
    with pytest.raises(BadInputError, match=r"img1.png is 50 x 128"):
        session.labels.import_from(tmp_path / "m")
    assert all(q.region.image_id not in ("img0.png", "img1.png") for q in session.state.queue)


def test_new_images_join_the_pool_and_known_ones_are_not_taken_twice(session, tmp_path, pool):
    from tiny_data import write_pool

    more = write_pool(tmp_path / "more", count=3, first=2)  # 2 and 3 are there already
    added = session.maintenance.add_images(more / "images")
    assert added.added == ("img4.png",) and added.known == ("img2.png", "img3.png")
    assert "img4.png" in session.state.image_ids
    assert session.project.images.get_split("img4.png") is Split.POOL
    other = write_pool(tmp_path / "other", count=1, first=50)
    (other / "images" / "img50.png").rename(other / "images" / "img0.png")
    done = session.maintenance.add_images(other / "images")
    assert done.added == ("images/img0.png",)


def test_missing_images_are_listed_and_do_not_stop_the_rest(project_folder, pool, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    with Project.open(project_folder, read_only=True) as project:
        gone = project.images.all(Split.POOL)[0].id
    (pool / "images" / gone).rename(away / "x.png")
    session = Session(Project.open(project_folder), FakeSegmenters(), InlineRunner())
    assert session.state.missing == {gone}
    assert session.state.image_id != gone
    regions = proposed(session, count=4)
    assert len(regions) == 4
    assert all(q.region.image_id != gone for q in session.state.open_regions)
    done = session.maintenance.relink(away)
    assert list(done.found) == [gone]
    assert session.state.missing == frozenset()
    with pytest.raises(NothingToDoError, match="no image is missing"):
        session.maintenance.relink(away)
    session.close()


def test_settings_change_the_session_too(session):
    session.maintenance.configure(annotator="Anna", measure="entropy")
    assert session.state.measure == "entropy"
    region, *_ = proposed(session)
    session.labels.save(region, full(1))
    assert session.labels.latest(region).annotator == "Anna"
    with pytest.raises(ConfigError):
        session.maintenance.configure(measure="nonsense")


def test_tissue_that_was_corrected_is_where_regions_are_drawn(session):
    for ref in session.project.images.all(Split.POOL):
        mask = np.zeros((24, 32), bool)
        mask[:12, :16] = True
        session.maintenance.set_tissue(ref.id, mask)
    proposed(session, count=4)
    assert all(
        queued.region.y < 48 and queued.region.x < 64 for queued in session.state.open_regions
    )


# --- effort --------------------------------------------------------------------------------------


def test_effort_parts_work_from_rest_and_counts_what_was_done():
    now = [100.0]
    meter = EffortMeter(lambda: now[0])
    meter.start()
    for seconds, deed in (
        (2, meter.clicked),
        (3, meter.stroked),
        (60, meter.touched),
        (5, meter.undid),
    ):
        now[0] += seconds
        deed()
    assert meter.take(7) == Effort(10.0, 60.0, 1, 1, 1, 7)
    now[0] += 4
    meter.touched()
    assert meter.take(0) == Effort(4.0)
    meter.start()
    assert meter.take(0) == Effort()


def test_failed_save_is_told_by_the_session(session, monkeypatch):
    region, *_ = proposed(session)
    told = []
    session.failed.connect(told.append)

    def refuse(*_, **__):
        raise ProjectError("no room")

    monkeypatch.setattr(session.project.labels, "save", refuse)
    session.labels.offer(region, full(1), Effort())
    with pytest.raises(ProjectError):
        session.labels.flush()
    emit_queued()
    assert [str(error) for error in told] == ["no room"]
    assert session.state.unsaved == {region}
    monkeypatch.undo()
    session.labels.flush()
    assert session.state.unsaved == frozenset()


def test_training_and_measuring_go_on_without_images_that_are_gone(session, pool):
    lap(session, pool)
    trained_on = session.state.done_in_pool[0].region.image_id
    validation = session.project.images.all(Split.VALIDATION)[0].id
    (pool / "images" / trained_on).unlink()
    session.train()
    left = [q for q in session.state.done_in_pool if q.region.image_id != trained_on]
    assert len(session.context.networks.trained[-1].seen) == len(left)
    (pool / "images" / validation).unlink()
    session.train()
    session.wait()  # nothing is left to measure it on: a model without figures
    assert session.state.model.id == "m003" and dict(session.state.model.metrics) == {}
    with pytest.raises(BadInputError, match="is missing"):
        session.evaluate()


def test_nothing_of_a_slides_text_comes_into_the_project(tmp_path):
    from tiny_slides import write_svs

    from napari_active_seg.session.create_project import ImageSettings, create_project

    (tmp_path / "slides").mkdir()
    write_svs(tmp_path / "slides" / "a.svs")
    settings = ImageSettings(val_fraction=0.0)
    create_project(
        tmp_path / "p", images_dir=tmp_path / "slides", classes=("a", "b"), settings=settings
    )
    for path in (tmp_path / "p").rglob("*"):
        assert not path.is_file() or b"Aperio" not in path.read_bytes()
