"""Ask for minutes instead of regions, and let the seconds be learned from whoever labels.

    python examples/minutes_budget.py [FOLDER]

Three budgets of two minutes, answered by a simulated annotator whose seconds are known; prints what
each was expected to take and what it took. FOLDER (new; ``minutes-budget`` if left out) holds the
project.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_active_seg import Session, create_project, open_session
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.importers import MaskFolder
from napari_active_seg.studies import AnnotatorSettings, annotate_with

PERSON = AnnotatorSettings(noise=0.2, seed=1)


def answered(session: Session, masks: Path) -> float:
    """Let somebody answer what waits; return the seconds that it took."""
    waiting = [queued.id for queued in session.state.open_regions]
    truth = MaskFolder.from_folder(masks, session.project.images.all(), n_classes=2)
    session.labels.answer_from(truth, annotate=annotate_with(PERSON, n_classes=2))
    return sum(session.labels.history(region)[-1].effort.active_s for region in waiting)


def main(folder: Path) -> None:
    """Spend three budgets."""
    data = folder / "data"
    write_sample_set("dermoscopy", data, count=8)
    create_project(
        folder / "project",
        images_dir=data / "images",
        masks_dir=data / "masks",
        classes=["skin", "lesion"],
    )
    session = open_session(folder / "project")
    session.maintenance.configure(annotator="simulated", cost="learned")
    for _ in range(3):
        session.proposals.propose(budget="2min", strategy="regions-per-minute", size=64)
        expected = sum(queued.cost for queued in session.state.open_regions)
        took = answered(session, data / "masks")
        print(f"expected {expected:.0f} s, took {took:.0f} s. {session.proposals.notes[0]}")
        session.train(preset="fast")
    session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "minutes-budget"))
