"""What the first regions are worth: those that cover the pool by looks beside random ones.

    python benchmarks/first_regions.py IMAGES MASKS --classes background,gland

A third of the images, drawn by the seed, is for measuring; the rest is the pool. In each round both
ways of beginning find the same number of squares in the same pool, masks answer, and the fast
network is trained and measured. Printed are the mean Dice of both, and in how many rounds coverage
was the better one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from napari_active_seg.acquisition import FIRST
from napari_active_seg.api import open_session
from napari_active_seg.studies import StudySettings, arms_for, simulate


def link(names: list[Path], into: Path) -> Path:
    """Make a folder of links to files."""
    into.mkdir(parents=True)
    for name in names:
        (into / name.name).symlink_to(name.resolve())
    return into


def one_round(asked: argparse.Namespace, seed: int, work: Path) -> dict[str, float]:
    """Return the mean Dice of each way of beginning."""
    images = sorted(p for p in asked.images.iterdir() if p.is_file())
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))[: asked.most]
    cut = len(order) // 3
    test = link([images[i] for i in order[:cut]], work / "test")
    pool = link([images[i] for i in order[cut:]], work / "pool")
    found = {}
    for first in FIRST:
        study = StudySettings.parse(
            name="first-regions",
            data={
                "images": pool,
                "masks": asked.masks,
                "test_images": test,
                "test_masks": asked.masks,
                "classes": asked.classes.split(","),
            },
            start={"regions": asked.count, "first": first},
            size=asked.size,
            rounds=0,
            settings={"preset": "fast", "init": "pretrained"},
            reference=False,
            seeds=(seed,),
            arms=arms_for(["uncertain-regions"]),
        )
        (point,) = simulate(study, work / first, open_session, on_progress=lambda *_: None)
        found[first] = point.scores["mean_dice"]
    return found


def main() -> None:
    """Print the rounds and what they say together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--classes", default="background,object")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    rounds = []
    for seed in range(asked.rounds):
        with tempfile.TemporaryDirectory() as work:
            rounds.append(one_round(asked, seed, Path(work)))
            print("  ".join(f"{name} {dice:.3f}" for name, dice in rounds[-1].items()), flush=True)
    for name in FIRST:
        dice = [found[name] for found in rounds]
        print(
            f"{name:10} mean Dice {statistics.mean(dice):.3f}, deviation {np.std(dice, ddof=1):.3f}"
        )
    gains = [found["coverage"] - found["random"] for found in rounds]
    half = 1.96 * np.std(gains, ddof=1) / np.sqrt(len(gains))
    print(
        f"coverage minus random {statistics.mean(gains):+.3f} ({half:.3f} either way), better in "
        f"{sum(gain > 0 for gain in gains)} of {len(gains)} rounds"
    )


if __name__ == "__main__":
    main()
