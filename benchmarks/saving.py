"""How long a stroke takes to be safe, and how long the window waits for it.

    python benchmarks/saving.py [--folder WHERE]

A region of 512 x 512 with three painted shapes changes a little at each save. Measured are the
whole save (compressed, written and synchronised; it happens in the saver's thread) and the hand-
over to that thread, which is all that the window waits for.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_active_seg import create_project
from napari_active_seg.acquisition import Proposal, ScoredRegion
from napari_active_seg.api import open_session
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.regions import Effort, Region, RegionState

SAVES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="A folder on the disk to be measured.")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        write_sample_set("histology", folder / "data", count=2)
        classes = ["background", "gland"]
        images = folder / "data" / "images"
        created = create_project(folder / "p", images_dir=images, classes=classes)
        session = open_session(created.folder)
        project = session.project
        image = project.images.all()[0]
        region = ScoredRegion(Region(image.id, 0, 0, 512, 512), 1.0, 1.0, "")
        proposal = Proposal(1, (region,), "benchmark", 1, 0, None, "")
        (queued,) = project.regions.add_proposal(proposal)
        session.context.update(queue=project.regions.queue())
        target = np.full((512, 512), 255, np.uint8)
        y, x = np.mgrid[:512, :512]
        for cy, cx in ((120, 130), (300, 400), (420, 90)):
            target[np.hypot(y - cy, x - cx) < 80] = 1
        whole, handed = [], []
        for number in range(SAVES):
            row = number * 2 % 500
            target[row : row + 3, 100:300] = number % 2
            began = time.perf_counter()
            project.labels.save(
                queued.id, target, state=RegionState.IN_PROGRESS, annotator="A", effort=Effort()
            )
            whole.append(1000 * (time.perf_counter() - began))
        for number in range(SAVES):
            target[number, 100:300] = number % 2
            began = time.perf_counter()
            session.labels.offer(queued.id, target.copy(), Effort(strokes=1))
            handed.append(1000 * (time.perf_counter() - began))
            time.sleep(0.005)
        session.close()
    print_times("whole save, saver's thread", whole)
    print_times("hand-over, window's thread", handed)


def print_times(name: str, found: list[float]) -> None:
    q = statistics.quantiles(found, n=100)
    print(f"{name:28} median {q[49]:.2f} ms, {q[24]:.2f} to {q[74]:.2f}, 99 %: {q[98]:.2f}")


if __name__ == "__main__":
    main()
