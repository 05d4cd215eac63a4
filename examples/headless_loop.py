"""The loop without a window: propose, label, train, three rounds over, on drawn dermoscopy.

    python examples/headless_loop.py [FOLDER]

Leaves a project and its report in FOLDER (a new one; ``headless-loop`` if left out).
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_active_seg import create_project, open_session
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.session.report import write_project_report

ROUNDS = 3


def main(folder: Path) -> None:
    """Run three rounds and print the scores of each model."""
    sample = write_sample_set("dermoscopy", folder / "data", count=5)
    masks = folder / "data" / "masks"
    create_project(
        folder / "project",
        images_dir=folder / "data" / "images",
        masks_dir=masks,
        classes=sample.classes,
    )
    session = open_session(folder / "project")
    for _ in range(ROUNDS):
        session.proposals.propose(count=5, size=64)
        session.labels.answer_from_masks(masks)  # a simulated annotator; a person would paint
        session.wait()
        session.train()
        model = session.state.model
        if model is not None:
            dice, ece = model.metrics["mean_dice"], model.metrics["ece"]
            print(f"{model.id}: mean Dice {dice:.3f}, ECE {ece:.3f}")
    session.predict()
    write_project_report(session, folder / "report.html")
    session.close()
    print(f"the report is {folder / 'report.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "headless-loop"))
