import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from tiny_project import create

from napari_active_seg.acquisition import Proposal, RegionKind, ScoredRegion
from napari_active_seg.errors import BadInputError, ConfigError, ImageError, ProjectError
from napari_active_seg.images import scan_folder
from napari_active_seg.project import ModelRecord, Project, Split, assign_splits
from napari_active_seg.project.serialization import target_from_blob, target_to_blob
from napari_active_seg.regions import Effort, Region, RegionState
from napari_active_seg.uncertainty import MomentStream, Prediction


@pytest.fixture
def project(tmp_path, pool):
    with create(tmp_path / "a project ß", pool) as made:
        yield made


def proposal(number=1, image_id="img0.png", y=0):
    regions = tuple(
        ScoredRegion(
            Region(image_id, y, x, 16, 16), 0.5 - x / 1000, 9.0, "because", RegionKind.CHOSEN
        )
        for x in (0, 32)
    )
    return Proposal(number, regions, "uncertain-regions", 2, 0, "m001", "abc")


def test_project_remembers_images_classes_and_splits(project, pool):
    folder = project.folder
    with Project.open(folder, read_only=True) as again:
        refs = again.images.all()
        assert [ref.id for ref in refs] == [f"img{i}.png" for i in range(4)]
        assert refs[0].shape == (96, 128)
        assert again.schema.names == ("background", "disk")
        assert len(again.images.all(Split.VALIDATION)) == 1
        assert again.images.source("img2.png").shape == (96, 128)
        assert again.images.path("img2.png") == pool / "images" / "img2.png"


def test_copied_folder_with_its_images_opens_elsewhere(project, pool, tmp_path):
    elsewhere = tmp_path / "stick"
    elsewhere.mkdir()
    project.close()
    shutil.copytree(project.folder, elsewhere / project.folder.name)
    shutil.copytree(pool, elsewhere / "data")
    with Project.open(elsewhere / project.folder.name) as copy:
        assert copy.images.path("img0.png") == elsewhere / "data" / "images" / "img0.png"


def test_folder_of_links_stays_a_folder_of_links(tmp_path, pool):
    links = tmp_path / "links" / "images"
    links.mkdir(parents=True)
    for path in (pool / "images").iterdir():
        (links / path.name).symlink_to(path)
    with create(tmp_path / "p", tmp_path / "links") as project:
        assert project.images.path("img0.png") == links / "img0.png"


def test_taken_folder_is_refused_and_left_alone(tmp_path, pool):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("ten days of work")
    with pytest.raises(ProjectError, match="not empty; nothing was changed"):
        create(taken, pool)
    assert [p.name for p in taken.iterdir()] == ["thesis.txt"]


def test_failed_creation_leaves_nothing_behind(tmp_path, pool):
    scan = scan_folder(pool / "images")
    (pool / "images" / "img0.png").unlink()
    with pytest.raises(ImageError):
        create(tmp_path / "p", pool, images=scan.images)
    assert not (tmp_path / "p").exists()
    assert not list(tmp_path.glob(".p*"))


@pytest.mark.parametrize("missing", ["project.json", "project.db"])
def test_folder_that_is_no_project_says_so(project, missing):
    project.close()
    (project.folder / missing).unlink()
    with pytest.raises(ProjectError, match="is not a project"):
        Project.open(project.folder)


def test_foreign_newer_and_damaged_databases_are_refused(project):
    project.close()
    path = project.folder / "project.db"
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ProjectError, match="newer version"):
        Project.open(project.folder)
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    with pytest.raises(ProjectError, match="another program"):
        Project.open(project.folder)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(ProjectError, match="damaged"):
        Project.open(project.folder)


def test_wrong_settings_are_named(project):
    project.close()
    path = project.folder / "project.json"
    good = json.loads(path.read_text())
    for change, words in (
        ({"inference": {"samples": 0}}, "samples must be 1 to 1,000, got 0"),
        ({"colour": 1}, "colour"),
        ({"training": {"seed": 1}}, "no setting 'seed'"),
        ({"acquisition": {"measure": "bold"}}, "did you mean 'bald'"),
        ({"inference": 3}, "valid dictionary or instance of InferenceOptions"),
        ({"format_version": 99}, "newer version"),
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(ProjectError, match=words):
            Project.open(project.folder)
    path.write_text("{ not json")
    with pytest.raises(ProjectError, match="line 1"):
        Project.open(project.folder)


def test_queue_keeps_the_proposals_order_reason_and_state(project):
    first = project.regions.add_proposal(proposal())
    assert [q.region.x for q in first] == [0, 32]
    assert first[0].reason == "because"
    assert first[0].state is RegionState.PROPOSED
    project.regions.set_state(first[1].id, RegionState.CANT_TELL)
    project.regions.add_proposal(proposal(2, y=40))
    with Project.open(project.folder, read_only=True) as again:
        queue = again.regions.queue()
        assert [(q.round, q.region.x) for q in queue] == [(1, 0), (1, 32), (2, 0), (2, 32)]
        assert queue[1].state is RegionState.CANT_TELL
        assert again.regions.last_round() == 2
        with pytest.raises(BadInputError, match="no region"):
            again.regions.get("nope")


def test_labels_are_on_the_disk_when_saving_returns(project):
    (queued, _) = project.regions.add_proposal(proposal())
    target = np.random.default_rng(0).integers(0, 2, (16, 16)).astype(np.uint8)
    for state, effort in (
        (RegionState.IN_PROGRESS, Effort(active_s=2, strokes=3)),
        (RegionState.DONE, Effort(active_s=1, strokes=1, changed_px=5)),
    ):
        project.labels.save(queued.id, target, state=state, annotator="Ann", effort=effort)
    with Project.open(project.folder, read_only=True) as again:
        label = again.labels.latest(queued.id)
        assert (label.target == target).all()
        assert label.annotator == "Ann"
        assert label.state is RegionState.DONE
        assert label.effort == Effort(active_s=3, strokes=4, changed_px=5)
        assert [q.region for q in again.labels.done(["img0.png"])] == [queued.region]
        assert again.labels.done(["img1.png"]) == ()


def test_label_of_another_size_is_refused(project):
    (queued, _) = project.regions.add_proposal(proposal())
    with pytest.raises(BadInputError, match=r"\(16, 16\)"):
        project.labels.save(
            queued.id,
            np.zeros((8, 8), np.uint8),
            state=RegionState.DONE,
            annotator="Ann",
            effort=Effort(),
        )
    assert project.labels.latest(queued.id) is None


def test_proposal_that_cannot_be_stored_is_not_stored_in_part(project):
    regions = (*proposal().regions, ScoredRegion(Region("ghost.png", 0, 0, 8, 8), 0, 1, ""))
    broken = Proposal(1, regions, "s", 3, 0, None, "abc")
    with pytest.raises(ProjectError, match="nothing of this step was kept"):
        project.regions.add_proposal(broken)
    assert project.regions.queue() == ()
    assert project.regions.last_round() == 0


def record(model_id, at, in_use=True):
    classes = ("background", "disk")
    return ModelRecord(model_id, at, "fast", 0, 1, classes, "h", {"ece": 0.1}, in_use)


def test_one_model_is_in_use_and_earlier_ones_can_be_again(project):
    assert project.models.in_use() is None
    assert project.models.next_id() == "m001"
    project.models.add(record("m001", 1.0))
    project.models.add(record("m002", 2.0))
    assert project.models.in_use().id == "m002"
    assert project.models.next_id() == "m003"
    project.models.use("m001")
    assert [m.in_use for m in project.models.all()] == [True, False]
    assert project.models.in_use().metrics == {"ece": 0.1}
    with pytest.raises(BadInputError):
        project.models.use("m009")


def test_predictions_are_cached_and_damage_only_costs_time(project):
    stream = MomentStream()
    stream.add(np.full((2, 6, 5), 0.5))
    prediction = Prediction(Region.whole("img0.png", (6, 5)), stream.moments(), "m001")
    cache = project.predictions
    assert cache.load("m001", "img0.png") is None
    cache.save(prediction)
    assert cache.has("m001", "img0.png")
    found = Project.open(project.folder, read_only=True).predictions.load("m001", "img0.png")
    assert (found.mean_probs == prediction.mean_probs).all()
    assert (found.moments.votes == prediction.moments.votes).all()
    (file,) = (project.folder / "cache").rglob("*.maps")
    file.write_bytes(file.read_bytes()[:100])
    with Project.open(project.folder, read_only=True) as again:
        assert again.predictions.load("m001", "img0.png") is None
    shutil.rmtree(project.folder / "cache")
    with Project.open(project.folder, read_only=True) as again:
        assert again.predictions.load("m001", "img0.png") is None


def test_missing_or_swapped_image_is_named(project, pool):
    (pool / "images" / "img1.png").unlink()
    with pytest.raises(ImageError, match=r"img1.png is missing"):
        project.images.source("img1.png")
    shutil.copy(pool / "masks" / "img1.png", pool / "images" / "img1.png")
    from PIL import Image

    Image.new("RGB", (10, 12)).save(pool / "images" / "img1.png")
    with pytest.raises(ImageError, match="12 x 10 but was 96 x 128"):
        project.images.source("img1.png")
    with pytest.raises(BadInputError, match=r"did you mean 'img1.png'"):
        project.images.ref("img1.pgn")


def test_blob_notices_a_single_flipped_bit():
    target = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.uint8)
    blob = bytearray(target_to_blob(target))
    assert (target_from_blob(bytes(blob)) == target).all()
    for place in (2, 6, 14, len(blob) // 2, len(blob) - 1):
        broken = bytearray(blob)
        broken[place] ^= 4
        with pytest.raises(ProjectError, match="damaged"):
            target_from_blob(bytes(broken))
    with pytest.raises(ProjectError, match="damaged"):
        target_from_blob(b"")


def test_split_is_drawn_once_by_seed_whatever_the_order():
    names = [f"{i}.png" for i in range(40)]

    def splits(names, **more):
        return [p.split for p in assign_splits(names, seed=0, **more).values()]

    split = assign_splits(names, val_fraction=0.2, seed=1)
    assert split == assign_splits(names[::-1], val_fraction=0.2, seed=1)
    assert split != assign_splits(names, val_fraction=0.2, seed=2)
    assert splits(names, val_fraction=0.2).count(Split.VALIDATION) == 8
    assert sorted(splits(names[:2], val_fraction=0.01)) == [Split.POOL, Split.VALIDATION]
    assert set(splits(names, val_fraction=0)) == {Split.POOL}
    assert set(splits(names[:1], val_fraction=0.5)) == {Split.POOL}
    both = splits(names, val_fraction=0.2, test_fraction=0.1)
    assert both.count(Split.VALIDATION) == 8 and both.count(Split.TEST) == 4
    with pytest.raises(ConfigError):
        assign_splits(names, val_fraction=1.0, seed=0)


def test_prediction_that_cannot_be_kept_says_what_may_be_deleted(project):
    stream = MomentStream()
    stream.add(np.full((2, 96, 128), 0.5))
    region = Region("img0.png", 0, 0, 96, 128)
    (project.folder / "cache").write_text("a file where a folder should be")
    with pytest.raises(ProjectError, match=r"could not be kept .* may be deleted"):
        project.predictions.save(Prediction(region, stream.moments(), "m001"))
