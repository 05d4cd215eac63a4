"""Folders as people have them, on the command line."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiny_data import disk_picture, write_pool

NAMES = ("--classes", "background,disk")


def beside(folder, *, image="{}.jpg", mask="{}.png"):
    """Write photographs and their masks into one folder."""
    folder.mkdir()
    for seed in range(3):
        pixels, truth = disk_picture(seed)
        Image.fromarray(pixels).save(folder / image.format(seed))
        Image.fromarray(truth * 255).save(folder / mask.format(seed))
    return folder


@pytest.mark.parametrize("chosen", [".", "images"])
def test_masks_are_found_and_the_region_size_is_said(run, tmp_path, pool, chosen):
    code, out, _ = run("init", tmp_path / "p", "--images", pool / chosen, *NAMES)
    assert code == 0
    assert f"masks in {pool / 'masks'}: 4 of 4 match" in out
    assert "4 images, 1 of them for validation (1 labelled)" in out
    assert "Suggested region size: 64 px, about 67 % of the shorter side of an image" in out
    code, out, _ = run("config", tmp_path / "p", "--show", "--json")
    assert json.loads(out)["project"]["region_size"]["value"] == 64
    _, out, _ = run("propose", tmp_path / "p", "--count", "1", "--json")
    assert json.loads(out)["regions"][0]["height"] == 64


def test_masks_can_be_left_where_they_are(run, tmp_path, pool):
    code, out, _ = run("init", tmp_path / "p", "--images", pool, *NAMES, "--no-masks", "--json")
    facts = json.loads(out)
    assert code == 0 and (facts["images"], facts["masks"], facts["masks_dir"]) == (4, 0, None)
    code, _, err = run(
        "init", tmp_path / "q", "--images", pool, *NAMES, "--no-masks", "--masks", pool / "masks"
    )
    assert code == 2 and "exclude each other" in err


def test_files_that_look_like_masks_are_refused_until_it_is_said(run, tmp_path):
    data = beside(tmp_path / "data")
    line = ("init", tmp_path / "p", "--images", data, *NAMES)
    code, out, err = run(*line)
    assert code == 1 and not out and not (tmp_path / "p").exists()
    assert "3 of 6 files look like masks (two grey values, such as 0.png)" in err
    assert "--mask-like masks or --mask-like images" in err
    code, out, _ = run(*line, "--mask-like", "masks", "--json")
    facts = json.loads(out)
    assert code == 0 and (facts["images"], facts["masks"]) == (3, 3)


def test_further_images_come_without_their_masks(run, made, tmp_path):
    more = write_pool(tmp_path / "more", count=2, first=30)
    code, out, _ = run("import", made, "--images", more, "--json")
    assert code == 0 and json.loads(out)["images_added"] == 2


def test_files_of_several_planes_are_said(run, made, tmp_path):
    data = tmp_path / "stacks"
    data.mkdir()
    pixels = np.stack([disk_picture(k)[0][..., 0] for k in range(40, 43)])
    tifffile.imwrite(data / "a.tif", pixels, photometric="minisblack")
    Image.fromarray(disk_picture(44)[0]).save(data / "b.png")
    code, out, err = run("init", tmp_path / "q", "--images", data, *NAMES, "--json")
    assert code == 0 and "1 file holds several planes" in err and "a.tif (3 planes)" in err
    assert "a.tif (3 planes)" in json.loads(out)["notes"][0]
    code, out, err = run("import", made, "--images", data, "--json")
    assert code == 0 and "a.tif (3 planes)" in err
    assert "a.tif (3 planes)" in json.loads(out)["image_notes"][0]
