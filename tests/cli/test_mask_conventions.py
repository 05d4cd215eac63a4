"""What the numbers in masks mean is said by every verb that reads masks, and can be told."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_data import write_pool

from napari_active_seg.project import Project
from napari_active_seg.regions import count_labelled_pixels

NAMES = ("--classes", "background,disk")


@pytest.fixture
def painted(tmp_path):
    """A pool whose masks are napari's labels: 1 and 2 are classes, 0 is not labelled."""
    folder = write_pool(tmp_path / "painted")
    for path in (folder / "masks").iterdir():
        values = np.asarray(Image.open(path)) // 255 + 1
        values[:20] = 0
        Image.fromarray(values.astype(np.uint8)).save(path)
    return folder


def folders(pool):
    return ("--images", pool / "images", "--masks", pool / "masks")


def labelled_share(folder):
    with Project.open(folder, read_only=True) as project:
        labels = project.labels.done([ref.id for ref in project.images.all()])
        sizes = [ref.shape[0] * ref.shape[1] for ref in project.images.all()]
        count = count_labelled_pixels(labels)
        classes = {int(v) for label in labels for v in np.unique(label.target)}
    return count / sum(sizes), classes


def test_init_and_label_say_how_masks_are_read_and_can_be_told(run, painted, tmp_path):
    auto = ("init", tmp_path / "auto", *folders(painted), *NAMES)
    code, out, _ = run(*auto)
    assert code == 0
    assert "masks read as instances: 0 is the first class, every other number an object" in out
    told = ("init", tmp_path / "told", *folders(painted), *NAMES, "--as", "napari")
    code, out, _ = run(*told)
    assert code == 0 and "masks read as napari: 0 is not labelled" in out
    assert "--only images --as napari" in out  # the next command reads them in the same way
    take = ("label", tmp_path / "told", "--from-masks", painted / "masks", "--only", "images")
    assert json.loads(run(*take, "--as", "napari", "--json")[1])["masks_read_as"] == "napari"
    assert labelled_share(tmp_path / "told") == (76 / 96, {0, 1, 255})
    code, out, _ = run("label", tmp_path / "auto", *take[2:])
    assert code == 0 and "masks read as instances" in out
    assert labelled_share(tmp_path / "auto") == (1.0, {0, 1})


def test_found_masks_are_read_as_told(run, painted, tmp_path):
    line = ("init", tmp_path / "p", "--images", painted, *NAMES)
    code, out, _ = run(*line, "--as", "napari", "--json")
    assert code == 0 and json.loads(out)["masks_read_as"] == "napari"
    code, _, err = run(*line, "--as", "napori")
    assert code == 2 and "did you mean 'napari'?" in err
    code, _, err = run(*line, "--as", "napari", "--no-masks")
    assert code == 2 and "--as and --no-masks" in err
    (painted / "masks").rename(tmp_path / "elsewhere")
    code, _, err = run("init", tmp_path / "q", *line[2:], "--as", "napari")
    assert code == 2 and "no masks to read as napari" in err


def test_evaluate_says_how_masks_are_read_and_can_be_told(run, made, painted):
    assert (
        run("label", made, "--from-masks", made.parent / "data/masks", "--only", "images")[0] == 0
    )
    assert run("train", made, "--set", "steps=5", "--device", "cpu")[0] == 0
    line = ("evaluate", made, *folders(painted), "--device", "cpu")
    code, out, _ = run(*line)
    assert code == 0 and "masks read as instances" in out
    facts = json.loads(run(*line, "--as", "napari", "--json")[1])
    assert facts["masks_read_as"] == "napari"
    assert facts["pixels"] == 4 * 76 * 128
    code, _, err = run("evaluate", made, "--as", "napari")
    assert code == 2 and "--images and --masks" in err


def test_simulate_and_polygons_say_how_masks_are_read_and_can_be_told(run, painted, tmp_path):
    test = write_pool(tmp_path / "test", 2, first=50)
    line = (
        "simulate", *folders(painted), "--test-images", test / "images",
        "--test-masks", test / "masks", "--strategy", "random-regions", "--beside", "none",
        "--no-reference", "--start", "2", "--rounds", "0", "--size", "24", "--set", "steps=2",
        "--device", "cpu",
    )  # fmt: skip
    code, out, err = run(*line, "--out", tmp_path / "auto")
    assert code == 0, err
    assert "Masks of train images are read as instances: 0 is the first class" in out
    assert "Masks of test images are read as binary: black is the first class" in out
    assert "read as instances" in (tmp_path / "auto" / "report.html").read_text()
    code, _, err = run(*line, "--out", tmp_path / "no", "--as", "napori")
    assert code == 2 and "did you mean 'napari'?" in err

    line = ("polygons", *folders(painted), "--out", tmp_path / "polygons", "--tolerances", "2")
    code, out, _ = run(*line)
    assert code == 0 and "masks read as instances" in out
    facts = json.loads(run(*line, "--as", "napari", "--json")[1])
    assert facts["masks_read_as"] == "napari"


def test_a_convention_is_for_masks_alone(run, made, tmp_path):
    shapes = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "c.json").write_text(json.dumps(shapes))
    code, _, err = run("import", made, "--labels", tmp_path / "c.json", "--as", "index")
    assert code == 1 and "about none of" in err
    shapes["images"] = [{"id": 1, "file_name": "img0.png"}]
    (tmp_path / "c.json").write_text(json.dumps(shapes))
    code, _, err = run("import", made, "--labels", tmp_path / "c.json", "--as", "index")
    assert code == 2 and "are not a folder of masks" in err
