"""A stranger opens the plugin by the menu, labels, trains, corrects, exports and closes.

Everything that the other tests reach by calls is reached by mouse and keys here, with the
defaults, in a process of its own whose exit code counts.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_data import write_pool

from napari_active_seg.api import open_session
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionState

HOUR = Path(__file__).with_name("first_hour.py")
LONGEST_S = 900
pytestmark = pytest.mark.slow


@pytest.fixture(params=["images alone", "images and masks"])
def folder(request, tmp_path):
    """What a stranger has on the disk, and where the truth is that they have in mind."""
    pool = write_pool(tmp_path / "train", count=10, shape=(192, 256))
    truth = shutil.copytree(pool / "masks", tmp_path / "truth")
    if request.param == "images alone":
        shutil.rmtree(pool / "masks")
        return pool / "images", truth
    (pool / "images" / "Thumbs.db").write_bytes(b"no picture")
    return pool, truth


def test_a_stranger_gets_a_sound_model_and_leaves_without_a_fault(folder, tmp_path):
    images, truth = folder
    env = {
        **os.environ,
        "NAPARI_ACTIVE_SEG_SETTINGS": str(tmp_path / "settings.json"),
        "PYTHONPATH": os.pathsep.join(
            [*map(str, (HOUR.parents[1] / "support", HOUR.parents[1] / "gui")), *sys.path]
        ),
    }
    ran = subprocess.run(
        [sys.executable, str(HOUR), images, truth, "background, disk", tmp_path / "exported"],
        env=env,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert "Traceback" not in ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["errors"] == []
    assert "10 images" in told["found"]
    assert told["dialogs"].count("Unpainted pixels") == 1  # asked once, and never again
    assert told["kind"] == "manual"
    assert any((tmp_path / "exported").rglob("*.png"))
    project = Path(told["project"])
    assert _dice(project, truth) > 0.75
    with Project.open(project, read_only=True) as kept:
        assert kept.holder is None
        done = [q for q in kept.regions.queue() if q.state is RegionState.DONE and q.round > 0]
        assert len(done) >= told["labelled"] - 1  # the one placed by hand belongs to no round
        assert set(kept.labels.annotators()) <= {"A. Stranger", "masks"}
        label = kept.labels.latest(done[0].id)
        assert label.labelled_pixels == label.region.area  # unpainted pixels became background


def _dice(project, truth):
    """Return the Dice of the disks over all images of the pool, by the model in use."""
    both = total = 0
    session = open_session(project)
    try:
        pool = [ref.id for ref in session.project.images.all(Split.POOL)]
        session.predict(pool)
        for image_id in pool:
            predicted = session.prediction(image_id).classes == 1
            with Image.open(truth / f"{Path(image_id).stem}.png") as mask:
                real = np.asarray(mask) > 0
            both += 2 * int((predicted & real).sum())
            total += int(predicted.sum() + real.sum())
    finally:
        session.close()
    return both / total
