"""Two copies of a project become one again."""

import numpy as np
import pytest
from tiny_project import add_regions, create, paint

from napari_active_seg.acquisition import RegionKind, ScoredRegion
from napari_active_seg.errors import ProjectError
from napari_active_seg.project import PLACED_EVENT, ModelRecord, Project, merge_projects
from napari_active_seg.regions import Region, RegionState

DONE = RegionState.DONE


def merged(ours, theirs):
    with Project.open(ours) as a, Project.open(theirs, read_only=True) as b:
        return merge_projects(a, b)


def regions_of(folder):
    with Project.open(folder, read_only=True) as project:
        return [queued.id for queued in project.regions.queue()[-2:]]


def values(folder):
    """Return the value that each painted region has now, by id."""
    with Project.open(folder, read_only=True) as project:
        labels = {q.id: project.labels.latest(q.id) for q in project.regions.queue()[1:]}
        return {i: int(label.target[0, 0]) for i, label in labels.items() if label is not None}


def test_work_of_both_copies_is_united(two_copies):
    ours, theirs = two_copies
    one, other = regions_of(ours)
    with Project.open(ours) as project:
        paint(project, one, 1, "Anna", DONE)
    with Project.open(theirs) as project:
        paint(project, other, 0, "Ben", DONE)
        (new,) = add_regions(project, [("img1.png", 40, 40)], number=2)
        paint(project, new, 1, "Ben", DONE)
    report = merged(ours, theirs)
    assert (report.labels, report.regions, report.proposals) == (2, 1, 1)
    assert report.conflicts == ()
    assert report.backup.is_file()
    assert values(ours) == {one: 1, other: 0, new: 1}
    with Project.open(ours, read_only=True) as project:
        assert project.labels.latest(other).annotator == "Ben"
        assert project.regions.get(new).state is DONE
        assert project.events.all()[-1].what == "merged"
    again = merged(ours, theirs)
    assert (again.labels, again.regions, again.conflicts) == (0, 0, ())


def test_regions_by_hand_keep_their_author_and_their_place_in_the_queue(two_copies):
    ours, theirs = two_copies
    one, other = regions_of(ours)
    region = Region("img1.png", 40, 40, 24, 20)
    scored = ScoredRegion(region, 0.0, 3.0, "chosen by hand", RegionKind.MANUAL)
    with Project.open(theirs) as project:
        own = project.regions.add_manual(scored, after=one, annotator="Ben")
        paint(project, own, 1, "Ben", DONE)
    merged(ours, theirs)
    with Project.open(ours, read_only=True) as project:
        assert [q.id for q in project.regions.queue()[-3:]] == [one, own, other]
        queued = project.regions.get(own)
        assert (queued.kind, queued.placed_by, queued.region) == ("manual", "Ben", region)
        (placed,) = project.events.of(own, what=PLACED_EVENT)
        assert placed.annotator == "Ben" and placed.facts["y"] == 40


def test_conflict_keeps_both_and_reports_who_and_how_much(two_copies):
    ours, theirs = two_copies
    one, other = regions_of(ours)
    with Project.open(ours) as project:
        paint(project, one, 1, "Anna", DONE)
        paint(project, other, 1, "Anna", DONE)
    with Project.open(theirs) as project:
        paint(project, one, 0, "Ben")
        paint(project, other, 1, "Ben", DONE)  # the same: no conflict
    report = merged(ours, theirs)
    (conflict,) = report.conflicts
    assert (conflict.region_id, conflict.annotators) == (one, ("Anna", "Ben"))
    assert (conflict.differing_pixels, conflict.kept) == (256, "theirs")
    assert values(ours)[one] == 0
    with Project.open(ours) as project:
        history = project.labels.history(one)
        assert [s.annotator for s in history] == ["Anna", "Ben"]
        project.labels.restore(one, history[0].uid, annotator="Anna")
    assert values(ours)[one] == 1


def test_later_save_wins_whichever_copy_it_is_in(two_copies):
    ours, theirs = two_copies
    one, _ = regions_of(ours)
    with Project.open(theirs) as project:
        paint(project, one, 0, "Ben", DONE)
    with Project.open(ours) as project:
        paint(project, one, 1, "Anna")
    (conflict,) = merged(ours, theirs).conflicts
    assert conflict.kept == "ours"
    assert values(ours)[one] == 1
    with Project.open(ours, read_only=True) as project:
        label = project.labels.latest(one)
        assert (label.annotator, label.state) == ("Anna", RegionState.IN_PROGRESS)
        assert label.effort.strokes == 2  # Anna's and Ben's, each once


def test_overlapping_regions_of_the_two_copies_that_disagree_are_reported(two_copies):
    ours, theirs = two_copies
    for folder, x, value in ((ours, 60, 1), (theirs, 68, 0)):
        with Project.open(folder) as project:
            (new,) = add_regions(project, [("img1.png", 40, x)], number=2)
            paint(project, new, value, folder.parent.name, DONE)
    (conflict,) = merged(ours, theirs).conflicts
    assert conflict.differing_pixels == 16 * 8
    assert conflict.image_id == "img1.png"


def test_classes_added_apart_keep_apart_and_equal_names_become_one(two_copies):
    ours, theirs = two_copies
    one, other = regions_of(ours)
    with Project.open(ours) as project:
        book = project.classes.current.add_class("stroma")
        project.classes.change(book, what="added stroma", annotator="A")
        paint(project, one, 2, "Anna", DONE)
    with Project.open(theirs) as project:
        book = project.classes.current.add_class("lumen").add_class("Stroma")
        project.classes.change(book, what="added two", annotator="B")
        target = np.full((16, 16), 2, np.uint8)
        target[8:] = 3
        project.labels.save(other, target, state=DONE, annotator="Ben", effort=paint_effort())
    merged(ours, theirs)
    with Project.open(ours, read_only=True) as project:
        assert project.schema.names == ("background", "disk", "stroma", "lumen")
        assert (project.labels.latest(one).target == 2).all()
        target = project.labels.latest(other).target
        assert (target[:8] == 3).all() and (target[8:] == 2).all()


def paint_effort():
    from napari_active_seg.regions import Effort

    return Effort(strokes=1)


def test_models_of_both_copies_keep_their_weights_under_names_of_their_own(two_copies):
    for number, folder in enumerate(two_copies):
        with Project.open(folder) as project:
            path = project.models.path("m001")
            path.write_text(f"weights {number}")
            facts = ("m001", 10.0 + number, "fast", 0, 1, ("a", "b"), f"h{number}", {}, True)
            project.models.add(ModelRecord(*facts, class_uids=(0, 1)))
            measured = {"model": "m001", "number": number}
            project.events.add("validated", "m001", facts=measured)
            project.events.add("measured before training", "a region", facts=measured)
    ours, theirs = two_copies
    assert merged(ours, theirs).models == 1
    with Project.open(ours, read_only=True) as project:
        for name, number in (("m001", 0), ("m002", 1)):  # what the diary says of each goes along
            (event,) = project.events.of(name)
            assert event.facts == {"model": name, "number": number}
        squares = project.events.of("a region")
        assert [event.facts["model"] for event in squares] == ["m001", "m002"]
        assert [m.id for m in project.models.all()] == ["m001", "m002"]
        assert project.models.in_use().id == "m001"
        assert project.models.path("m002").read_text() == "weights 1"
    assert merged(ours, theirs).models == 0


def test_images_that_only_the_other_copy_has_come_with_their_place(two_copies, tmp_path):
    from tiny_data import write_pool

    from napari_active_seg.session.add_images import add_images

    ours, theirs = two_copies
    more = write_pool(tmp_path / "more", count=2, first=20)
    with Project.open(theirs) as project:
        assert add_images(project, more / "images").added == ("img20.png", "img21.png")
    assert merged(ours, theirs).images == 2
    with Project.open(ours, read_only=True) as project:
        assert project.images.path("img20.png") == more / "images" / "img20.png"


def test_strangers_and_other_pictures_of_one_name_are_refused(two_copies, tmp_path, pool):
    ours, theirs = two_copies
    create(tmp_path / "stranger", pool).close()
    with pytest.raises(ProjectError, match="with itself"):
        merged(ours, ours)
    with pytest.raises(ProjectError, match="is not a copy of"):
        merged(ours, tmp_path / "stranger")
    with Project.open(theirs) as project, project.database.transaction() as connection:
        connection.execute("UPDATE images SET fingerprint = 'x' WHERE id = 'img0.png'")
    with pytest.raises(ProjectError, match=r"img0.png is not the same picture"):
        merged(ours, theirs)
    assert not (ours / "backups").exists()


def test_merge_that_fails_in_the_middle_changes_nothing(two_copies, monkeypatch):
    ours, theirs = two_copies
    one, _ = regions_of(ours)
    with Project.open(theirs) as project:
        paint(project, one, 1, "Ben", DONE)
        project.models.path("m001").write_text("weights")
        project.models.add(ModelRecord("m001", 1.0, "fast", 0, 1, (), "h", {}, True))
    from napari_active_seg.project import merging

    monkeypatch.setattr(merging._Merge, "_merge_events", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        merged(ours, theirs)
    assert values(ours) == {}
    assert not (ours / "models" / "m001.safetensors").exists()


def state_of(folder, region_id):
    with Project.open(folder, read_only=True) as project:
        return project.regions.get(region_id).state


def finish(folder, region_id, who, state=DONE):
    """Move a region to a state without another save, as the window's Done does."""
    with Project.open(folder) as project:
        project.regions.set_state(region_id, state, annotator=who)


@pytest.mark.parametrize("other_paints", [False, True])
def test_a_region_finished_by_its_state_alone_stays_finished(two_copies, other_paints):
    """Its last save says 'in progress'; the merge went by that save and reopened the region."""
    ours, theirs = two_copies
    one, other = regions_of(ours)
    for folder, who in ((ours, "Anna"), (theirs, "Ben")):
        with Project.open(folder) as project:
            paint(project, one, 1, who)
    finish(ours, one, "Anna")
    if other_paints:
        with Project.open(theirs) as project:
            paint(project, other, 0, "Ben", DONE)
    report = merged(ours, theirs)
    assert report.conflicts == ()  # both painted the same
    assert state_of(ours, one) is DONE


def test_a_finished_region_that_the_other_copy_paints_on_later_is_reported(two_copies):
    ours, theirs = two_copies
    one, _ = regions_of(ours)
    with Project.open(ours) as project:
        paint(project, one, 1, "Anna")
    finish(ours, one, "Anna")
    with Project.open(theirs) as project:
        paint(project, one, 0, "Ben")
    (conflict,) = merged(ours, theirs).conflicts
    assert conflict.kept == "theirs"
    assert conflict.states == (DONE, RegionState.IN_PROGRESS)
    assert state_of(ours, one) is RegionState.IN_PROGRESS


def test_what_one_copy_alone_changed_holds(two_copies):
    """Finished before they parted; one copy reopens it, the other does nothing."""
    ours, theirs = two_copies
    one, other = regions_of(ours)
    finish(theirs, one, "Ben", RegionState.SKIPPED)
    finish(ours, other, "Anna", RegionState.LATER)
    assert merged(ours, theirs).conflicts == ()
    assert state_of(ours, one) is RegionState.SKIPPED
    assert state_of(ours, other) is RegionState.LATER
