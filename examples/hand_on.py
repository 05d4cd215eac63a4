"""Write the labels of a project for nnU-Net, QuPath and COCO, and read them back.

    python examples/hand_on.py PROJECT OUT

Without arguments a small project of drawn histology is made and handed on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_active_seg import create_project, open_session
from napari_active_seg.images.samples import write_sample_set

FORMATS = ("nnunet", "geojson", "coco", "masks")


def sample_project(folder: Path) -> Path:
    """Return a project with four labelled regions."""
    data = folder / "data"
    sample = write_sample_set("histology", data, count=3)
    create_project(
        folder / "project",
        images_dir=data / "images",
        masks_dir=data / "masks",
        classes=sample.classes,
    )
    session = open_session(folder / "project")
    session.proposals.propose(count=4, size=128)
    session.labels.answer_from_masks(data / "masks")
    session.close()
    return folder / "project"


def main(project: Path, out: Path) -> None:
    """Write each format below ``out``, and say what is in it."""
    session = open_session(project, read_only=True)
    for name in FORMATS:
        written = session.export(
            name,
            out / name,
        )
        print(f"{name}: {written.regions} regions of {written.images} images in {written.out}")
    session.close()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main(sample_project(Path("hand-on")), Path("hand-on") / "exported")
