"""Compare two strategies with a simulated annotator over three seeds; leaves a page with bands.

    python examples/compare_strategies.py [FOLDER]

The same as ``napari-active-seg simulate``, as a value in Python. FOLDER (new or stopped half-way;
``compared`` if left out) gets report.html, curves.csv and results.json.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from statistics import mean, stdev

from napari_active_seg import open_session
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.studies import StartSettings, StudySettings, arms_for, simulate


def main(folder: Path) -> None:
    """Run the study and print the last round of each arm."""
    for name, count, first in (("train", 4, 0), ("test", 2, 100)):
        if not (folder / name).exists():
            write_sample_set("histology", folder / name, count=count, first_seed=first)
    study = StudySettings.parse(
        name="compared",
        data={
            "dataset": "folders",
            "images": folder / "train" / "images",
            "masks": folder / "train" / "masks",
            "test_images": folder / "test" / "images",
            "test_masks": folder / "test" / "masks",
            "classes": ("background", "gland"),
            "fit": {"shrink": 2.0},
        },
        arms=arms_for(["uncertain-regions"], measure="bald", beside="random-regions"),
        start=StartSettings.parse(regions=4),
        batch="4",
        rounds=2,
        size=48,
        settings={"preset": "fast", "init": "scratch", "samples": 5},
        seeds=(0, 1, 2),
        reference=False,
    )
    records = simulate(
        study,
        folder / "study",
        partial(open_session, device="cpu"),
        on_progress=lambda done, total, text="": print(f"{done}/{total} {text}"),
    )
    for arm in study.arms:
        last = [r.scores["mean_dice"] for r in records if (r.arm, r.round) == (arm.name, 2)]
        print(f"{arm.name}: mean Dice {mean(last):.3f}, deviation {stdev(last):.3f}")
    print(f"the page is {folder / 'study' / 'report.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "compared"))
