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

from napari_active_seg.errors import BadInputError, NothingToDoError
from napari_active_seg.plugin import open_session
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
def test_ten_lines_without_this_package_say_what_the_model_says(session, tmp_path, preset):
    session.train(preset=preset, steps=5)
    session.wait()
    out = tmp_path / "model"
    session.predictions.export_model(out)
    session.wait()
    picture = tmp_path / "new image.png"
    noise = np.random.default_rng(0).integers(0, 255, (70, 101, 3)).astype(np.uint8)
    Image.fromarray(noise).save(picture)
    ran = subprocess.run(
        [sys.executable, "-I", out / "predict.py", picture], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    code = (out / "predict.py").read_text().splitlines()[1:]
    assert len([line for line in code if line]) == 10
    mask = np.asarray(Image.open(f"{picture}.mask.png"))
    (tmp_path / "new").mkdir()
    picture.rename(tmp_path / "new" / "a.png")
    session.predict_folder(tmp_path / "new", tmp_path / "said", samples=1)
    session.wait()
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
    session.predictions.export_model(out)
    with pytest.raises(BadInputError, match="not empty"):
        session.wait()


def test_without_a_model_there_is_none_to_write(session, tmp_path):
    with pytest.raises(NothingToDoError):
        session.predictions.export_model(tmp_path / "model")
