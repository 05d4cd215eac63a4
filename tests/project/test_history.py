"""Labels and classes through their history, splits over patients, pseudonyms, relinking."""

import csv
import itertools

import numpy as np
import pytest
from tiny_project import add_regions, create, paint

from napari_active_seg.errors import (
    BadInputError,
    ConfigError,
    ImageError,
    MissingImageError,
    NothingToDoError,
    ProjectError,
)
from napari_active_seg.images import find_groups_by_pattern, read_image_table
from napari_active_seg.project import (
    Placement,
    Project,
    Split,
    assign_splits,
    find_moved_images,
    groups_in_several_splits,
)
from napari_active_seg.regions import RegionState


def test_label_goes_back_to_any_earlier_save_and_forward_again(painted):
    with Project.open(painted) as project:
        region = project.regions.queue()[-1].id
        first = paint(project, region, 0)
        second = paint(project, region, 1, state=RegionState.DONE)
        project.labels.restore(region, first, annotator="Ben")
        label = project.labels.latest(region)
        assert (label.target == 0).all() and label.annotator == "Ben"
        assert label.state is RegionState.IN_PROGRESS  # as it was at that save
        assert label.effort.strokes == 2  # going back costs nothing and forgets nothing
        project.labels.restore(region, second, annotator="Ben")
        assert project.labels.latest(region).state is RegionState.DONE
    with Project.open(painted, read_only=True) as again:
        history = again.labels.history(region)
        assert [saved.uid for saved in history[:2]] == [first, second]
        assert ["taken back" in saved.note for saved in history] == [False, False, True, True]
        values = [int(again.labels.get_target(saved.uid)[0, 0]) for saved in history]
        assert values == [0, 1, 0, 1]
        with pytest.raises(BadInputError, match="no save"):
            again.labels.get_target("nonsense")


def test_restoring_what_is_there_or_of_another_region_is_refused(painted):
    with Project.open(painted) as project:
        one, other = (queued.id for queued in project.regions.queue()[-2:])
        uid = paint(project, one, 1)
        with pytest.raises(NothingToDoError, match="latest already"):
            project.labels.restore(one, uid, annotator="A")
        with pytest.raises(BadInputError, match="has no save"):
            project.labels.restore(other, uid, annotator="A")


def test_states_are_written_into_the_diary_with_who_and_when(painted):
    with Project.open(painted) as project:
        region = project.regions.queue()[-1].id
        paint(project, region, 1, annotator="Anna")
        project.regions.set_state(region, RegionState.DONE, annotator="Anna")
        project.regions.set_state(region, RegionState.DONE, annotator="Anna")  # no change, no line
        project.regions.set_state(region, RegionState.IN_PROGRESS, annotator="Ben")
        events = project.events.of(region)
    assert [(e.facts["from"], e.facts["to"], e.annotator) for e in events] == [
        ("proposed", "in_progress", "Anna"),
        ("in_progress", "done", "Anna"),
        ("done", "in_progress", "Ben"),
    ]
    assert all(a.at <= b.at for a, b in itertools.pairwise(events))


def test_classes_change_in_the_middle_and_every_change_can_be_undone(painted):
    with Project.open(painted) as project:
        region = project.regions.queue()[-1].id
        paint(project, region, 1)
        book = project.classes.current
        project.classes.change(book.add_class("lumen"), what="added lumen", annotator="A")
        paint(project, region, 2)
        book = project.classes.current
        project.classes.change(book.merge_classes("lumen", "disk"), what="merged", annotator="A")
        assert (project.labels.latest(region).target == 1).all()
    with Project.open(painted) as project:
        assert project.schema.names == ("background", "disk")
        assert project.classes.undo(annotator="A") == "merged"
        assert (project.labels.latest(region).target == 2).all()
        assert project.schema.names == ("background", "disk", "lumen")
        assert project.classes.undo(annotator="A") == "added lumen"
        assert (project.labels.latest(region).target == 255).all()  # painted with a class undone
        with pytest.raises(NothingToDoError):
            project.classes.undo(annotator="A")
        book = project.classes.current
        project.classes.change(book.add_class("stroma"), what="added stroma", annotator="A")
        assert (project.labels.latest(region).target == 255).all()  # stroma is not lumen
        assert len(project.classes.history()) == 6


def test_patients_are_drawn_whole_and_new_seeds_draw_others():
    ids = [f"p{k // 4}_{k}.png" for k in range(40)]
    groups = find_groups_by_pattern(ids, r"^(p\d+)_")
    placed = assign_splits(ids, val_fraction=0.2, test_fraction=0.2, seed=0, groups=groups)
    assert groups_in_several_splits(placed.values()) == {}
    counts = [p.split for p in placed.values()]
    assert counts.count(Split.VALIDATION) == 8 and counts.count(Split.TEST) == 8
    assert placed != assign_splits(ids, val_fraction=0.2, test_fraction=0.2, seed=1, groups=groups)
    alone = assign_splits(ids[:4], val_fraction=0.5, seed=0, groups=groups)
    assert {p.split for p in alone.values()} == {Split.POOL}  # one patient cannot be split
    with pytest.raises(ConfigError, match="together"):
        assign_splits(ids, val_fraction=0.6, test_fraction=0.5, seed=0)


def test_official_splits_stay_and_shared_patients_are_found():
    official = {"a": Split.POOL, "b": Split.POOL, "c": Split.TEST, "d": Split.POOL}
    groups = {"a": "7", "c": "7", "b": "8", "d": "9"}
    placed = assign_splits("abcd", val_fraction=0.34, seed=3, groups=groups, official=official)
    assert placed["c"] == Placement(Split.TEST, "7", "official")
    drawn = [i for i, p in placed.items() if p.split is Split.VALIDATION]
    assert len(drawn) == 1 and placed[drawn[0]].split_from == "drawn"
    assert all(placed[i].split_from == "official" for i in "abcd" if i not in drawn)
    shared = groups_in_several_splits(placed.values())
    assert "7" in shared and Split.TEST in shared["7"]


def test_tables_are_read_by_their_headings(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,patient ID, grade\nimg_1,4, benign\nimg_2,, x\n", encoding="utf-8-sig")
    assert {k: v.group for k, v in read_image_table(path).items()} == {"img_1": "4", "img_2": None}
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ImageError, match="needs a column 'image'"):
        read_image_table(path)
    with pytest.raises(ConfigError, match="not a regular expression"):
        find_groups_by_pattern(["a"], "(")
    with pytest.raises(ConfigError, match="matches no image name"):
        find_groups_by_pattern(["a"], "xyz")


def test_moved_and_renamed_images_are_found_by_what_is_in_them(tmp_path, pool):
    with create(tmp_path / "p", pool) as project:
        away = tmp_path / "elsewhere" / "deep"
        away.mkdir(parents=True)
        (pool / "images" / "img0.png").rename(away / "renamed.png")
        (pool / "images" / "img1.png").rename(away / "img1.png")
        (pool / "images" / "img2.png").unlink()
        (away / "broken.png").write_bytes(b"")
        assert project.images.missing() == ("img0.png", "img1.png", "img2.png")
        with pytest.raises(MissingImageError, match="found again"):
            project.images.source("img0.png")
        missing = [project.images.ref(i) for i in project.images.missing()]
        relinked = find_moved_images(missing, tmp_path / "elsewhere")
        assert relinked.missing == ("img2.png",)
        project.images.move(relinked.found)
        assert project.images.missing() == ("img2.png",)
        assert project.images.source("img0.png").shape == (96, 128)


def test_project_with_pseudonyms_holds_no_name_and_its_key_is_apart(tmp_path, pool):
    key = tmp_path / "vault" / "key.csv"
    scan = create(tmp_path / "plain", pool)
    placements = scan.images.placements()
    scan.close()
    from dataclasses import replace

    from napari_active_seg.images import scan_folder

    images = scan_folder(pool / "images").images
    names = {image.id: f"image-{k:03d}" for k, image in enumerate(images)}
    with create(
        tmp_path / "p", pool, key_file=key,
        images=[replace(image, id=names[image.id]) for image in images],
        splits={names[i]: p for i, p in placements.items()},
    ) as project:  # fmt: skip
        assert project.images.source("image-000").shape == (96, 128)
    for path in (tmp_path / "p").rglob("*"):
        if path.is_file():
            assert b"img0" not in path.read_bytes() and str(pool).encode() not in path.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    rows = list(csv.reader(key.read_text().splitlines()))
    assert ["image-000", str(pool / "images" / "img0.png")] in rows
    key.rename(tmp_path / "gone.csv")
    with Project.open(tmp_path / "p") as project:
        assert len(project.images.missing()) == 4
        with pytest.raises(ImageError, match="put the key back"):
            project.images.path("image-000")
        found = find_moved_images(project.images.all(), pool).found
        project.images.move(found)
        assert project.images.path("image-000") == pool / "images" / "img0.png"
    key.write_text("rubbish")
    with Project.open(tmp_path / "p") as project, pytest.raises(ProjectError, match="not a key"):
        project.images.path("image-000")


def test_corrected_tissue_is_kept_until_it_is_given_up(tmp_path, pool):
    with create(tmp_path / "p", pool) as project:
        computed = project.images.tissue("img0.png")
        mine = np.zeros((24, 32), bool)
        mine[3:9] = True
        project.images.set_tissue("img0.png", mine, annotator="A")
    with Project.open(tmp_path / "p") as project:
        assert (project.images.tissue("img0.png") == mine).all()
        project.images.set_tissue("img0.png", None)
        assert (project.images.tissue("img0.png") == computed).all()
        with pytest.raises(BadInputError, match="tissue mask"):
            project.images.set_tissue("img0.png", np.zeros((3, 3, 3), bool))


def test_settings_are_changed_by_name_and_checked(painted):
    with Project.open(painted) as project:
        project.configure(annotator="Anna", samples="30")
        for key, value, words in (
            ("samples", 0, "must be 1 to 1,000, got 0"), ("seed", 3, "cannot be changed"),
            ("measure", "bold", "did you mean"), ("annotater", "x", "did you mean 'annotator'"),
        ):  # fmt: skip
            with pytest.raises(ConfigError, match=words):
                project.configure(**{key: value})
    with Project.open(painted, read_only=True) as again:
        assert (again.config.annotator, again.config.inference.samples) == ("Anna", 30)
        assert again.events.all()[-1].facts == {"annotator": "Anna", "samples": "30"}


def test_labels_of_a_region_that_came_twice_are_one_history(painted):
    with Project.open(painted) as project:
        region = project.regions.queue()[0].region
        first = project.regions.add_whole_image(region)
        assert project.regions.add_whole_image(region) == first
        assert len(add_regions(project, [("img0.png", 50, 50)], number=2)) == 1


def test_efforts_are_summed_over_the_saves_of_each_region_with_the_latest_annotator(painted):
    with Project.open(painted) as project:
        first, second = [q.id for q in project.regions.queue() if q.region.height == 16]
        paint(project, first, 0, annotator="Ben")
        paint(project, second, 1, annotator="Ben")
        paint(project, first, 1, annotator="Anna")
        found = {saved.region_id: saved for saved in project.labels.efforts()}
        assert (found[first].annotator, found[first].effort.active_s) == ("Anna", 4.0)
        assert (found[second].annotator, found[second].effort.active_s) == ("Ben", 2.0)
        assert found[first].uid == project.labels.history(first)[-1].uid
