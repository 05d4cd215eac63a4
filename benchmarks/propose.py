"""How long a person waits for regions after *Propose*: the first one, and all of the round.

    python benchmarks/propose.py
    python benchmarks/propose.py --images 16 --side 1024 --rounds 3 --count 8

Draws histology pictures, labels a first round, trains the fast network, and proposes. In each round
the same project is proposed from in one stage, as commands do, and in stages, as the window does,
with nothing predicted before. Printed are medians, and what the prediction of one image takes by
the number of Monte-Carlo samples.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from napari_active_seg.api import create_project, open_session
from napari_active_seg.images.samples.histology import draw_histology
from napari_active_seg.session import Session, SessionState
from napari_active_seg.session.create_project import ImageSettings


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds until the first region and until the end, and in how many images regions lie."""

    first: float
    total: float
    regions: int
    images: int


def make_project(folder: Path, *, images: int, side: int) -> Path:
    """Draw pictures, label a first round of squares, and train on them."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for seed in range(images):
        drawn = draw_histology(seed, (side, side))
        Image.fromarray(drawn.image).save(folder / "images" / f"drawn{seed:02}.png")
        Image.fromarray(drawn.mask * 255).save(folder / "masks" / f"drawn{seed:02}.png")
    project = create_project(
        folder / "project",
        images_dir=folder / "images",
        classes=["background", "gland"],
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    session = open_session(project)
    try:
        session.proposals.propose(count=8)
        session.labels.answer_from_masks(folder / "masks")
        session.train(preset="fast")
    finally:
        session.close()
    return project


def propose(project: Path, *, count: int, in_stages: bool) -> Waited:
    """Propose from a copy of a project of which nothing is predicted."""
    copy = project.with_name("copy")
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("predictions"))
    session = open_session(copy, in_background=in_stages)
    try:
        round_number = session.state.round
        first: list[float] = []
        began = time.perf_counter()

        def on_state(new: SessionState, _old: SessionState) -> None:
            if not first and new.round > round_number:
                first.append(time.perf_counter() - began)

        session.state_changed.connect(on_state)
        session.proposals.propose(count=count)
        session.wait()  # for the later stages
        total = time.perf_counter() - began
        images = [q.region.image_id for q in session.state.queue if q.round > round_number]
        return Waited(first[0], total, len(images), len(set(images)))
    finally:
        session.close()
        shutil.rmtree(copy)


def seconds_to_predict(session: Session, image_id: str, samples: int) -> float:
    """Return how long the prediction of one image takes."""
    began = time.perf_counter()
    session.predict(samples=samples, image_ids=[image_id])
    return time.perf_counter() - began


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[bool, list[Waited]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as work:
        project = make_project(Path(work), images=asked.images, side=asked.side)
        for _ in range(asked.rounds):
            for in_stages, waited in found.items():
                waited.append(propose(project, count=asked.count, in_stages=in_stages))
        for in_stages, waited in found.items():
            print(
                f"{'in stages' if in_stages else 'in one stage':12} "
                f"first region after {statistics.median(w.first for w in waited):.1f} s, "
                f"all after {statistics.median(w.total for w in waited):.1f} s, "
                f"{waited[0].regions} regions in {waited[0].images} images"
            )
        session = open_session(project)
        try:
            seconds_to_predict(session, session.state.image_ids[0], 1)  # loads the network
            for samples in (5, 10, 20):
                took = [
                    seconds_to_predict(session, image_id, samples)
                    for image_id in session.state.image_ids[: max(3, asked.rounds)]
                ]
                print(f"{samples} samples: {statistics.median(took):.2f} s an image")
        finally:
            session.close()


if __name__ == "__main__":
    main()
