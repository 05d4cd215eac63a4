"""Kill a writer at random instants: nothing that was acknowledged may be missing."""

import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np

from napari_active_seg.acquisition import Proposal, ScoredRegion
from napari_active_seg.project import Project
from napari_active_seg.regions import Region

WRITER = """
import sys
from pathlib import Path
import numpy as np
from napari_active_seg.project import Project
from napari_active_seg.regions import Effort, RegionState

project = Project.open(Path(sys.argv[1]))
(queued,) = project.regions.queue()
number = int(sys.argv[2])
while True:
    number += 1
    target = np.full((32, 32), number % 2, np.uint8)
    target.flat[:32] = [(number >> bit) & 1 for bit in range(32)]
    project.labels.save(
        queued.id, target, state=RegionState.IN_PROGRESS, annotator="A", effort=Effort(strokes=1)
    )
    print(number, flush=True)
"""


def stored_number(project):
    (queued,) = project.regions.queue()
    label = project.labels.latest(queued.id)
    if label is None:
        return 0
    bits = label.target.flat[:32].astype(np.int64)
    assert label.effort.strokes >= 1
    return int((bits << np.arange(32)).sum())


def test_killed_writer_loses_no_acknowledged_stroke(project_folder, tmp_path):
    folder = tmp_path / "killed"
    shutil.copytree(project_folder, folder)
    with Project.open(folder) as project:
        with project.database.transaction() as connection:
            connection.execute("DELETE FROM labels")
            connection.execute("DELETE FROM regions")
        region = ScoredRegion(Region("img0.png", 0, 0, 32, 32), 1.0, 1.0, "")
        project.regions.add_proposal(Proposal(1, (region,), "s", 1, 0, None, "h"))
    draws = random.Random(0)
    acknowledged = 0
    for kill in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(acknowledged)],
            stdout=subprocess.PIPE,
            text=True,
        )
        first = process.stdout.readline()
        time.sleep(draws.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        lines = (first + rest).split("\n")
        acknowledged = int(lines[-2])
        copy = tmp_path / f"copy{kill}"
        shutil.copytree(folder, copy)
        with Project.open(copy) as project:
            # The write that was under way may have reached the disk unacknowledged.
            assert stored_number(project) in (acknowledged, acknowledged + 1)
            acknowledged = stored_number(project)
    assert acknowledged > 4
