"""Whether a score that is cross-validated over twenty regions holds on further images.

    python benchmarks/cross_validation.py --data GLAS --seeds 0 1 2

``--data`` holds images/ and instances/ of the GlaS contest. For each seed eight training images, at
a third of their size, become a project with twenty finished regions of 64 x 64: all of them of a
first round, or ten of a first round and ten that the first model finds most uncertain. The estimate
is compared with the score of the model on all of forty other training images.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from napari_active_seg.api import open_session
from napari_active_seg.images import open_image
from napari_active_seg.metrics import estimate_over_images
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.trust.evaluate import LabelledImage

SHRUNK = 3
IN_PROJECT, FURTHER = 8, 40
#: How many regions of the first round, and how many of a second one.
ROUNDS = {"20 of a first round": (20, 0), "10 of a first round, 10 uncertain": (10, 10)}


def write_small(data: Path, stem: str, out: Path) -> None:
    """Write a picture and its mask, smaller, to images/ and masks/ of ``out``."""
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    image = Image.open(data / "images" / f"{stem}.png").convert("RGB")
    size = (image.width // SHRUNK, image.height // SHRUNK)
    image.resize(size, Image.Resampling.BILINEAR).save(out / "images" / f"{stem}.png")
    ids = Image.open(data / "instances" / f"{stem}.png").resize(size, Image.Resampling.NEAREST)
    mask = (np.asarray(ids) > 0).astype(np.uint8) * 255
    Image.fromarray(mask).save(out / "masks" / f"{stem}.png")


def labelled(folder: Path, stem: str) -> LabelledImage:
    """Return a picture that is labelled everywhere."""
    return LabelledImage(
        stem,
        partial(open_image, folder / "images" / f"{stem}.png"),
        lambda: (np.asarray(Image.open(folder / "masks" / f"{stem}.png")) > 0).astype(np.uint8),
    )


def compare(
    work: Path, pool: Path, further: list[LabelledImage], seed: int, name: str
) -> tuple[str, ...]:
    """Return a row of the table: the estimate and the score on further images."""
    first, uncertain = ROUNDS[name]
    work.mkdir(parents=True, exist_ok=True)
    folder = create_project(
        work / f"project-{first}",
        images_dir=pool / "images",
        classes=("background", "gland"),
        settings=ImageSettings(val_fraction=0.0, seed=seed),
    ).folder
    session = open_session(folder, device="cpu")
    session.maintenance.configure(unpainted="unlabelled", samples=8)
    for count, strategy in ((first, None), (uncertain, "uncertain-regions")):
        if count:
            session.proposals.propose(count=count, size=64, control=0.0, strategy=strategy)
            session.labels.answer_from_masks(pool / "masks")
            session.train(accept_worse=True)
    session.trust.cross_validate()
    known = session.trust.cross_validation()
    report = session.evaluate(further)
    session.close()
    if known is None:
        raise SystemExit("nothing was estimated")
    estimate = known.estimates["image_mean_dice"]
    there = estimate_over_images(report)["image_mean_dice"]
    inside = estimate.low <= there.value <= estimate.high
    return str(seed), name, estimate.summary, there.summary, "yes" if inside else "no"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    stems = sorted(path.stem for path in (asked.data / "images").glob("train_*"))
    print("| seed | regions | cross-validated Dice | on 40 further images | within |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        for stem in stems:
            write_small(asked.data, stem, work / "all")
        for seed in asked.seeds:
            order = [str(stem) for stem in np.random.default_rng(seed).permutation(stems)]
            pool = work / f"pool-{seed}"
            for stem in order[:IN_PROJECT]:
                write_small(asked.data, stem, pool)
            further = [labelled(work / "all", s) for s in order[IN_PROJECT:][:FURTHER]]
            for name in ROUNDS:
                row = compare(work / str(seed), pool, further, seed, name)
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
