"""What unpainted pixels of finished regions count as, now and in regions finished before."""

from contextlib import suppress

import numpy as np
import pytest

from napari_active_seg.errors import ConfigError, NothingToDoError, ProjectError
from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, Effort, RegionState
from napari_active_seg.session import resolve_view
from napari_active_seg.session.labels.unpainted import find_painted_version
from napari_active_seg.session.state import Content


def disk_only(rows=8):
    """Return a target in which a person painted some of the foreground and nothing else."""
    target = np.full((24, 24), UNLABELLED, np.uint8)
    target[:rows] = 1
    return target


def proposed(session, count=3):
    session.proposals.propose(count=count, size=24)
    return [queued.id for queued in session.state.open_regions]


def finish(session, region_id, target=None, **effort):
    """Finish a region with what was painted in it."""
    spent = Effort(strokes=1, **effort)
    session.labels.leave(region_id, RegionState.DONE, target=target, effort=spent)
    session.labels.flush()


def stored(session, region_id):
    return session.labels.latest(region_id).target


# --- regions without paint -------------------------------------------------------------------


def test_a_region_without_paint_is_finished_as_the_class_of_the_rule(session):
    first, second, third = proposed(session)
    session.maintenance.configure(unpainted="background")
    session.labels.leave(first, RegionState.DONE, effort=Effort(active_s=2.5))
    session.labels.flush()
    label = session.labels.latest(first)
    assert label.state is RegionState.DONE and (label.target == 0).all()
    assert label.effort.active_s == 2.5
    assert resolve_view(session.state).status.startswith("Finished as background. 2 regions")
    session.labels.set_state(second, RegionState.DONE)
    assert (stored(session, second) == 0).all()
    session.labels.offer(third, disk_only(), Effort())
    assert resolve_view(session.state).status.startswith("1 region")
    with Project.open(session.project.folder, read_only=True) as project:
        assert {q.id for q in project.regions.queue() if q.state is RegionState.DONE} >= {first}


@pytest.mark.parametrize("rule", [None, "unlabelled", "a class that is gone"])
def test_without_a_class_a_region_without_paint_cannot_be_done(session, rule):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted=rule)
    nothing = np.full((24, 24), UNLABELLED, np.uint8)
    with pytest.raises(NothingToDoError, match="nothing is painted"):
        session.labels.leave(first, RegionState.DONE)
    with pytest.raises(NothingToDoError, match="nothing is painted"):
        session.labels.leave(first, RegionState.DONE, target=nothing)
    with pytest.raises(NothingToDoError, match="nothing is painted"):
        session.labels.set_state(first, RegionState.DONE)
    session.labels.offer(first, disk_only(), Effort())
    session.labels.offer(first, nothing, Effort())  # it was erased again, and is not saved yet
    with pytest.raises(NothingToDoError, match="nothing is painted"):
        session.labels.leave(first, RegionState.DONE)


def test_a_skipped_region_gets_no_class(session):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="background")
    session.labels.leave(first, RegionState.SKIPPED)
    session.labels.flush()
    assert session.labels.latest(first) is None


# --- what the rule fills ---------------------------------------------------------------------


def test_what_was_painted_is_a_version_of_its_own_before_the_rest_is_filled(session):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="background")
    finish(session, first, disk_only(), active_s=4.0)
    saves = session.labels.history(first)
    painted, filled = (session.project.labels.get_target(saved.uid) for saved in saves)
    np.testing.assert_array_equal(painted, disk_only())
    np.testing.assert_array_equal(filled, np.where(disk_only() == 1, 1, 0))
    assert [saved.state for saved in saves] == [RegionState.IN_PROGRESS, RegionState.DONE]
    assert saves[1].note == "unpainted pixels count as background"
    assert find_painted_version(saves) == saves[0]
    assert session.labels.latest(first).effort == Effort(active_s=4.0, strokes=1)


@pytest.mark.parametrize("saves_before", [True, False])
def test_strokes_that_are_not_saved_yet_are_filled_too(session, saves_before):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="background")
    session.labels.offer(first, disk_only(), Effort(active_s=1.0))
    if saves_before:
        session.labels.flush()
    session.labels.leave(first, RegionState.DONE, effort=Effort(active_s=2.0))
    session.labels.flush()
    assert [saved.note != "" for saved in session.labels.history(first)] == [False, True]
    np.testing.assert_array_equal(stored(session, first), np.where(disk_only() == 1, 1, 0))
    assert session.labels.latest(first).effort.active_s == 3.0


def test_a_save_that_fails_between_both_versions_counts_the_effort_once(session, monkeypatch):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="background")
    plain, failures = session.project.labels.save, []

    def failing(region_id, target, **facts):
        if facts["note"] and not failures:
            failures.append(region_id)
            raise ProjectError("no room")
        return plain(region_id, target, **facts)

    monkeypatch.setattr(session.project.labels, "save", failing)
    session.labels.leave(first, RegionState.DONE, target=disk_only(), effort=Effort(active_s=3.0))
    with suppress(ProjectError):  # not met if the saver tried before this call
        session.labels.flush()
    session.labels.flush()
    assert failures == [first]
    assert len(session.labels.history(first)) == 2
    assert session.labels.latest(first).effort.active_s == 3.0


def test_a_fully_painted_region_is_saved_once(session):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="background")
    finish(session, first, np.ones((24, 24), np.uint8))
    (saved,) = session.labels.history(first)
    assert saved.note == ""


# --- regions that are finished already -------------------------------------------------------


@pytest.fixture
def finished(session):
    """Two regions finished while unpainted pixels were ignored."""
    regions = proposed(session)
    session.maintenance.configure(unpainted="unlabelled")
    for number, region_id in enumerate(regions[:2]):
        finish(session, region_id, disk_only(4 + number))
    return regions


def apply(session):
    return session.labels.apply_unpainted_rule()


def test_a_new_rule_is_applied_to_finished_regions_and_can_be_undone(session, finished):
    first, second, waiting = finished
    session.maintenance.configure(unpainted="background")
    assert session.labels.preview_unpainted_rule().changed == (first, second)
    assert (stored(session, first) == disk_only(4)).all()  # a preview changes nothing
    changed = []
    session.content_changed.connect(changed.append)
    assert apply(session).changed == (first, second)
    assert changed == [Content.LABELS]
    np.testing.assert_array_equal(stored(session, first), np.where(disk_only(4) == 1, 1, 0))
    np.testing.assert_array_equal(stored(session, second), np.where(disk_only(5) == 1, 1, 0))
    assert session.labels.latest(waiting) is None
    assert session.labels.latest(first).state is RegionState.DONE
    assert session.labels.preview_unpainted_rule().changed == ()
    painted, filled = session.labels.history(first)
    assert filled.note == "unpainted pixels count as background"
    assert (session.labels.restore(first, painted.uid).target == disk_only(4)).all()
    assert session.project.regions.get(first).state is RegionState.DONE
    assert session.labels.preview_unpainted_rule().changed == (first,)


def test_another_class_replaces_what_the_rule_had_filled_and_no_paint(session, finished):
    first, *_ = finished
    session.maintenance.configure(unpainted="background")
    apply(session)
    session.maintenance.add_class("lumen")
    session.maintenance.configure(unpainted="lumen")
    apply(session)
    np.testing.assert_array_equal(stored(session, first), np.where(disk_only(4) == 1, 1, 2))
    session.maintenance.configure(unpainted="unlabelled")
    assert apply(session).changed == tuple(finished[:2])
    np.testing.assert_array_equal(stored(session, first), disk_only(4))
    assert len(session.labels.history(first)) == 4


def test_ignored_again_leaves_what_cannot_be_told_apart(session):
    first, second, third = proposed(session)
    session.maintenance.configure(unpainted="background")
    finish(session, first, disk_only())
    finish(session, second, np.ones((24, 24), np.uint8))  # every pixel is painted
    finish(session, third)  # finished as a whole: that was its answer
    session.maintenance.configure(unpainted="unlabelled")
    effect = apply(session)
    assert effect.changed == (first,) and effect.n_full == 1
    np.testing.assert_array_equal(stored(session, first), disk_only())
    assert (stored(session, second) == 1).all() and (stored(session, third) == 0).all()


def test_a_version_that_was_restored_is_known_for_what_it_was(session):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="background")
    finish(session, first, disk_only())
    painted, filled = session.labels.history(first)
    session.labels.restore(first, painted.uid)
    session.labels.restore(first, filled.uid)
    session.maintenance.configure(unpainted="unlabelled")
    assert apply(session).changed == (first,)
    np.testing.assert_array_equal(stored(session, first), disk_only())


def test_masks_keep_their_unlabelled_pixels(session, pool):
    from PIL import Image

    for path in (pool / "masks").iterdir():
        values = np.asarray(Image.open(path)).copy() // 255
        values[:, ::2] = UNLABELLED
        Image.fromarray(values).save(path)
    proposed(session)
    session.labels.answer_from_masks(pool / "masks")
    session.maintenance.configure(unpainted="background")
    assert session.labels.preview_unpainted_rule().changed == ()
    assert apply(session).changed == ()


def test_numbers_of_objects_survive_a_new_rule(session):
    first, *_ = proposed(session)
    session.maintenance.configure(unpainted="unlabelled")
    objects = np.zeros((24, 24), np.int32)
    objects[:4], objects[4:8] = 1, 2
    session.project.labels.save(
        first, disk_only(), state=RegionState.DONE, annotator="Anna", effort=Effort(),
        objects=objects,
    )  # fmt: skip
    session.maintenance.configure(unpainted="background")
    apply(session)
    assert (stored(session, first) != UNLABELLED).all()
    np.testing.assert_array_equal(session.labels.latest(first).objects, objects)


def test_a_save_that_fails_leaves_each_region_whole_and_the_rest_for_later(
    session, finished, monkeypatch
):
    first, second, _ = finished
    session.maintenance.configure(unpainted="background")
    plain = session.project.labels.save

    def failing(region_id, target, **facts):
        if region_id == second:
            raise ProjectError("no room")
        return plain(region_id, target, **facts)

    monkeypatch.setattr(session.project.labels, "save", failing)
    with pytest.raises(ProjectError, match="no room"):
        session.labels.apply_unpainted_rule()
    assert (stored(session, first) != UNLABELLED).all()
    np.testing.assert_array_equal(stored(session, second), disk_only(5))
    monkeypatch.undo()
    assert apply(session).changed == (second,)


def test_a_rule_that_nobody_has_chosen_cannot_be_applied(session, finished):
    session.maintenance.configure(unpainted=None)
    with pytest.raises(ConfigError, match="unlabelled, background, disk"):
        session.labels.apply_unpainted_rule()
