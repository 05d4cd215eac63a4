"""The model for other programs: what is written runs without this package."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_data import write_pool
from tiny_project import add_regions, create, paint

from napari_active_seg.api import open_session
from napari_active_seg.errors import BadInputError, NothingToDoError
from napari_active_seg.regions import RegionState


@pytest.fixture
def session(tmp_path):
    write_pool(tmp_path / "pool", 4)
    with create(tmp_path / "made", tmp_path / "pool") as project:
        for number, region in enumerate(
            add_regions(project, [("img0.png", 0, 0), ("img0.png", 20, 20)])
        ):
            paint(project, region, number, state=RegionState.DONE)
    session = open_session(tmp_path / "made", device="cpu")
    yield session
    session.close()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fast", "unet"])
def test_the_script_without_this_package_says_what_the_model_says(session, tmp_path, preset):
    session.train(preset=preset, settings={"steps": 5})
    out = tmp_path / "model"
    session.predictions.export_model(out)
    picture = tmp_path / "new image.png"
    noise = np.random.default_rng(0).integers(0, 255, (70, 101, 3)).astype(np.uint8)
    Image.fromarray(noise).save(picture)
    predict(out, picture)
    mask = np.asarray(Image.open(f"{picture}.mask.png"))
    (tmp_path / "new").mkdir()
    picture.rename(tmp_path / "new" / "a.png")
    session.predictions.predict_folder(tmp_path / "new", tmp_path / "said", samples=1)
    assert (mask == np.asarray(Image.open(tmp_path / "said" / "masks" / "a.png"))).mean() > 0.999
    facts = json.loads((out / "model.json").read_text())
    assert facts["model"] == "m001" and facts["network"] == preset
    assert [c["name"] for c in facts["classes"]] == ["background", "disk"]
    lines = (out / "checksums.sha256").read_text().splitlines()
    assert {line.partition("  ")[2] for line in lines} == {
        "README.md", "m001.safetensors", "model.json", "model.onnx", "predict.py",
    }  # fmt: skip
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    with pytest.raises(BadInputError, match="not empty"):
        session.predictions.export_model(out)


def predict(model, *arguments, cwd=None):
    """Run the exported script as a person does; return the last word that it prints."""
    ran = subprocess.run(
        [sys.executable, "-I", model / "predict.py", *arguments],
        capture_output=True, text=True, check=False, cwd=cwd,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_script_writes_where_it_is_told(session, tmp_path):
    session.train(preset="fast", settings={"steps": 2})
    session.predictions.export_model(tmp_path / "model")
    images, here = tmp_path / "pool" / "images", tmp_path / "here"
    before = sorted(images.iterdir())
    (here / "there.png").mkdir(parents=True)  # a folder, whatever its name
    (here / "old.png").write_text("an earlier mask")
    for told, found in (
        ("new/mask.png", "new/mask.png"),
        ("old.png", "old.png"),
        ("masks.v2", "masks.v2/img0.png.mask.png"),
        ("masks.v2", "masks.v2/img0.png.mask.png"),  # it exists now
        ("there.png", "there.png/img0.png.mask.png"),
        (str(tmp_path / "far" / "M.PNG"), str(tmp_path / "far" / "M.PNG")),
    ):
        assert predict(tmp_path / "model", images / "img0.png", "--out", told, cwd=here) == found
        with Image.open(here / found) as mask, Image.open(images / "img0.png") as image:
            assert mask.format == "PNG" and mask.size == image.size
    assert sorted(images.iterdir()) == before
    predict(tmp_path / "model", "img0.png", cwd=images)
    assert (images / "img0.png.mask.png").is_file()


def test_without_a_model_there_is_none_to_write(session, tmp_path):
    with pytest.raises(NothingToDoError):
        session.predictions.export_model(tmp_path / "model")
