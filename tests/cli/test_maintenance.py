"""import, classes, history, relink, merge, config and unlock, as scripts use them."""

import csv
import json
import shutil
import sqlite3
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiny_data import disk_picture

from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionState


def info(run, folder):
    code, out, _ = run("info", folder, "--json")
    assert code == 0
    return json.loads(out)


def make_project(run, folder, pool, *options):
    names = ("--images", pool / "images", "--classes", "background,disk")
    return run("init", folder, *names, *options)


def outlines(path, boxes, name="disk"):
    path.parent.mkdir(parents=True, exist_ok=True)
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]],
            },
            "properties": {"classification": {"name": name, "color": [1, 2, 3]}},
        }
        for y, x, h, w in boxes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_labels_of_qupath_are_imported_and_an_unknown_class_is_named(run, made, tmp_path):
    outlines(tmp_path / "q" / "img0.geojson", [(0, 0, 10, 10)], "Tumor")
    code, _, err = run("import", made, "--labels", tmp_path / "q")
    assert code == 1 and "'Tumor'" in err and "--map" in err
    _, out, _ = run(
        "import", made, "--labels", tmp_path / "q", "--map", "Tumor=disk", "--rest", "background",
        "--annotator", "Anna", "--json",
    )  # fmt: skip
    assert json.loads(out)["labelled_parts"] == 1
    assert info(run, made)["annotators"] == ["Anna", "masks"]


def test_zip_of_colour_masks_and_further_images(run, made, tmp_path, pool):
    from tiny_data import write_pool

    more = write_pool(tmp_path / "more", count=2, first=30)
    mask = np.zeros((96, 128, 3), np.uint8)
    mask[:40] = (255, 0, 0)
    (tmp_path / "t.csv").write_text("name,colour\nbackground,#000000\ndisk,#ff0000\n")
    Image.fromarray(mask).save(tmp_path / "img30.png")
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(tmp_path / "img30.png", "masks/img30.png")
    _, out, _ = run(
        "import", made, "--images", more / "images", "--labels", tmp_path / "m.zip",
        "--colours", tmp_path / "t.csv", "--json",
    )  # fmt: skip
    facts = json.loads(out)
    assert (facts["images_added"], facts["labelled_parts"]) == (2, 1)
    with Project.open(made, read_only=True) as project:
        (label,) = project.labels.done(["img30.png"])
        assert (label.target[:40] == 1).all() and (label.target[40:] == 0).all()


def test_archive_that_leads_outside_is_refused_and_nothing_is_written(run, made, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../../evil.png", b"x")
    before = sorted(tmp_path.rglob("*"))
    code, _, err = run("import", made, "--labels", tmp_path / "evil.zip")
    assert code == 1 and "leads outside" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_classes_are_shown_changed_and_changed_back(run, made):
    assert run("classes", made)[1].splitlines()[1].startswith("1: disk")
    assert run("classes", made, "--add", "lumen")[0] == 0
    assert run("classes", made, "--rename", "disk=cell")[0] == 0
    assert run("classes", made, "--merge", "lumen=cell")[0] == 0
    _, out, err = run("classes", made, "--undo", "--json")
    assert "undone: merged lumen into cell" in err
    assert [c["name"] for c in json.loads(out)["classes"]] == ["background", "cell", "lumen"]
    assert run("classes", made, "--add", "a", "--undo")[0] == 2
    assert run("classes", made, "--rename", "cell")[0] == 2
    assert run("classes", made, "--add", "Cell")[0] == 2


def test_history_is_shown_and_taken_back(run, made, pool):
    run("propose", made, "--count", 1, "--size", 24)
    run("label", made, "--from-masks", pool / "masks")
    with Project.open(made) as project:
        region = project.regions.queue()[-1].id
        save = project.labels.history(region)[0].uid
        shape = project.regions.get(region).region.shape
        from napari_active_seg.regions import Effort

        project.labels.save(
            region, np.ones(shape, np.uint8), state=RegionState.DONE, annotator="A", effort=Effort()
        )
    _, out, _ = run("history", made, region, "--json")
    assert len(json.loads(out)["saves"]) == 2
    assert run("history", made, region, "--restore", save[:10])[0] == 0
    _, out, _ = run("history", made, region, "--reopen", "--json")
    assert json.loads(out)["state"] == "in_progress"
    assert len(json.loads(out)["saves"]) == 3
    assert run("history", made, region, "--restore", "zzz")[0] == 2
    assert run("history", made, "nothing")[0] == 1


def test_relink_lists_what_is_found_and_what_is_not(run, made, pool, tmp_path):
    (tmp_path / "away").mkdir()
    (pool / "images" / "img0.png").rename(tmp_path / "away" / "other name.png")
    (pool / "images" / "img1.png").unlink()
    assert info(run, made)["missing_images"] == ["img0.png", "img1.png"]
    _, out, _ = run("relink", made, "--images", tmp_path / "away", "--json")
    facts = json.loads(out)
    assert list(facts["found"]) == ["img0.png"] and facts["missing"] == ["img1.png"]
    assert info(run, made)["missing_images"] == ["img1.png"]
    assert run("propose", made, "--count", 1, "--size", 24)[0] == 0  # the rest goes on


def test_copies_are_merged_and_their_conflicts_named(run, made, pool, tmp_path):
    run("propose", made, "--count", 2, "--size", 24)
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    from napari_active_seg.regions import Effort

    for folder, value, name in ((made, 0, "Anna"), (copy, 1, "Ben")):
        with Project.open(folder) as project:
            region = project.regions.queue()[-1]
            target = np.full(region.region.shape, value, np.uint8)
            project.labels.save(
                region.id, target, state=RegionState.DONE, annotator=name, effort=Effort()
            )
    code, out, _ = run("merge", made, copy)
    assert code == 0
    assert "1 regions are labelled otherwise" in out and "Anna and Ben differ in 576 pixels" in out
    _, out, _ = run("merge", made, copy, "--json")
    assert json.loads(out)["labels"] == 0


def test_settings_are_shown_and_set(run, made):
    _, out, _ = run("config", made, "--set", "annotator=Anna", "--set", "samples=30", "--json")
    assert (json.loads(out)["annotator"], json.loads(out)["samples"]) == ("Anna", 30)
    assert run("config", made, "--set", "sampels=3")[0] == 2
    assert run("config", made, "--set", "strategy=nonsense")[0] == 2
    assert run("config", made, "--set", "self=1")[0] == 2
    code, _, err = run("config", made, "--set", "preset=dcann")
    assert code == 2 and "did you mean 'dcan'" in " ".join(err.split())
    for known in ("auto", "dcan:101", "smp:unet/resnet18", "unet:plain"):
        assert run("config", made, "--set", f"preset={known}")[0] == 0
    assert "annotator: Anna" in run("config", made)[1]


@pytest.mark.parametrize(
    "setting",
    [
        "training_seconds=inf",
        "training_seconds=1e300",
        "temperature=nan",
        "alpha=inf",
        "beta=nan",
        "pseudo_label_threshold=nan",
        "learning_rate=inf",
        "learning_rate=1e9",
        "ema_decay=nan",
        "region_size=100000000",
        "regions_per_round=1000000000",
        "steps=10000000000",
        "batch=1000000",
        "patience=-1",
    ],
)
def test_infinite_and_absurd_settings_are_refused(run, made, setting):
    before = (made / "project.json").read_text()
    code, _, err = run("config", made, "--set", setting)
    assert code == 2 and setting.partition("=")[0].split("_")[0] in err
    assert (made / "project.json").read_text() == before


def test_held_project_can_be_read_and_taken_over_on_purpose(run, made):
    holder = Project.open(made)
    assert "this very program" in info(run, made)["held_by"]
    code, _, err = run("propose", made, "--count", 1)
    assert code == 1 and "open for writing" in err
    code, _, err = run("unlock", made)
    assert code == 1 and "still runs" in err and "--force" in err
    assert run("unlock", made, "--force")[0] == 0
    assert run("propose", made, "--count", 1, "--size", 24)[0] == 0
    holder.close()
    assert run("unlock", made)[0] == 1


def test_patients_are_kept_together_and_a_shared_one_is_noted(run, pool, tmp_path):
    (tmp_path / "t.csv").write_text(
        "image,patient,split\nimg0,7,train\nimg1,7,test\nimg2,8,train\nimg3,9,train\n"
    )
    code, out, err = make_project(
        run, tmp_path / "p", pool, "--table", tmp_path / "t.csv", "--json"
    )
    assert code == 0
    facts = json.loads(out)
    assert facts["test_images"] == 1 and facts["validation_images"] == 1
    assert "patient or slide '7' has images in" in err and len(facts["notes"]) == 1


def test_a_table_that_leaves_images_out_makes_no_project(run, pool, tmp_path):
    (tmp_path / "t.csv").write_text("image,patient\nimg0,7\nimg1,7\n")
    code, out, err = make_project(run, tmp_path / "p", pool, "--table", tmp_path / "t.csv")
    assert code == 1 and not out and not (tmp_path / "p").exists()
    assert "has no row for 2 of 4 images: img2.png, img3.png; add a row" in err


def test_pseudonyms_hide_every_name_and_labels_still_find_their_images(run, pool, tmp_path):
    key = tmp_path / "vault" / "key.csv"
    code, _, _ = make_project(
        run, tmp_path / "p", pool, "--pseudonyms", key, "--masks", pool / "masks",
        "--group-pattern", r"img\d",
    )  # fmt: skip
    assert code == 0
    for path in (tmp_path / "p").rglob("*"):
        assert not path.is_file() or b"img" not in path.read_bytes().replace(b"image", b"")
    names = dict(list(csv.reader(key.read_text().splitlines()))[1:])
    assert sorted(names) == ["image-001", "image-002", "image-003", "image-004"]
    masks = ("--from-masks", pool / "masks", "--only", "images")
    code, _, _ = run("label", tmp_path / "p", *masks)
    assert code == 0
    with Project.open(tmp_path / "p", read_only=True) as project:
        label = project.labels.latest(project.regions.queue()[-1].id)
        own = names[label.region.image_id]
        truth = np.asarray(Image.open(pool / "masks" / own.rpartition("/")[2])) // 255
        assert (label.target == truth).all()
        assert project.images.placement(label.region.image_id).group.startswith("group-")
    bad = make_project(run, tmp_path / "q", pool, "--pseudonyms", tmp_path / "q" / "key.csv")
    assert bad[0] == 2 and "keep it apart" in bad[2]


RENAME_IMAGE = (
    "UPDATE images SET id = '{0}' WHERE id = 'img0.png'",
    "UPDATE regions SET image_id = '{0}' WHERE image_id = 'img0.png'",
)
ADD_MODEL = (
    "INSERT INTO models VALUES "
    "('{0}', 1, 'fast', 0, 1, '[]', 'h', '{{}}', 1, '[0, 1]', '{{}}', '', '')",
)


@pytest.mark.parametrize(
    ("statements", "name"),
    [(RENAME_IMAGE, "../../evil.png"), (RENAME_IMAGE, "C:\\evil.png"), (ADD_MODEL, "../m")],
)
def test_tampered_names_write_nothing_outside(run, made, tmp_path, pool, statements, name):
    run("label", made, "--from-masks", pool / "masks", "--only", "images")
    connection = sqlite3.connect(made / "project.db")
    connection.execute("PRAGMA foreign_keys = OFF")
    for statement in statements:
        connection.execute(statement.format(name))
    connection.commit()
    connection.close()
    before = sorted(p for p in tmp_path.rglob("*") if not p.is_relative_to(made))
    for verb in (("export", made, "--out", tmp_path / "out"), ("predict", made)):
        code, _, err = run(*verb)
        assert code == 1 and "tampered with" in err
    assert sorted(p for p in tmp_path.rglob("*") if not p.is_relative_to(made)) == before


def test_the_cache_says_its_size_and_is_cleared(run, made, pool):
    run("propose", made, "--count", 6, "--size", 24)
    run("label", made, "--from-masks", pool / "masks")
    assert run("train", made, "--epochs", 1, "--accept-worse")[0] == 0
    assert run("predict", made)[0] == 0
    _, out, _ = run("cache", made, "--json")
    size = json.loads(out)["bytes"]
    assert size > 0 and info(run, made)["cache_bytes"] == size
    assert "MB of at most 10,000 MB" in run("cache", made)[1]
    _, out, _ = run("cache", made, "--clear", "--json")
    assert json.loads(out) == {"bytes": 0, "limit_bytes": 10_000_000_000, "freed_bytes": size}
    assert run("config", made, "--set", "cache_limit=0")[0] == 2


def test_replaced_images_are_refused_and_taken_by_relink(run, made, pool, tmp_path):
    line = ("export", made, "--format", "masks", "--out", tmp_path / "out")
    with Project.open(made, read_only=True) as project:
        image_id = project.images.all(Split.VALIDATION)[0].id
    pixels, _ = disk_picture(77)
    Image.fromarray(pixels).save(pool / "images" / image_id)
    code, _, err = run(*line)
    assert code == 1 and f"labels may not fit: {image_id}; put the old files back" in err
    assert "relink PROJECT --accept-changed" in err
    code, _, err = run("relink", made)
    assert code == 2 and "--images DIR" in err and "--accept-changed" in err
    code, out, _ = run("relink", made, "--accept-changed", "--json")
    assert code == 0 and json.loads(out) == {"accepted": [image_id]}
    assert run(*line)[0] == 0
    code, _, err = run("relink", made, "--accept-changed")
    assert code == 1 and "no image was replaced" in err
