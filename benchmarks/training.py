"""How long the presets train and how long until the overlay is there; what `auto` foretells.

    python benchmarks/training.py            # fast and unet on 20 regions of 128 x 128
    python benchmarks/training.py --foretell # seconds that auto expects, against those it took
    python benchmarks/training.py --flat     # the loss over a training, to see where it is flat
    python benchmarks/training.py --unlabelled GLAS  # with and without unlabelled images
    python benchmarks/training.py --unlabelled GLAS --training-length 3  # and longer
    python benchmarks/training.py --lengths GLAS     # one, three and ten times as long

Every figure is a median over rounds with its range; all in one process with all cores, as the
command line has them, and with one core less, as beside a window.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from napari_active_seg.images import open_image
from napari_active_seg.images.samples import SAMPLE_SETS
from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import TrainExample, TrainingData
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED

CLASSES = ("background", "gland")
SIDE, AROUND = 128, 64


def example(image: np.ndarray, mask: np.ndarray, y: int, x: int) -> TrainExample:
    """Return a labelled square with its surroundings, as the program cuts it."""
    top, left = max(0, y - AROUND), max(0, x - AROUND)
    window = (slice(top, y + SIDE + AROUND), slice(left, x + SIDE + AROUND))
    target = np.full(mask.shape, UNLABELLED, np.uint8)
    square = (slice(y, y + SIDE), slice(x, x + SIDE))
    target[square] = mask[square]
    return TrainExample(image[window], target[window])


def drawn_regions(count: int = 20) -> list[TrainExample]:
    """Return squares of drawn histology."""
    rng, made = np.random.default_rng(0), []
    for number in range(count):
        picture = SAMPLE_SETS["histology"].draw(number % 5)
        height, width = picture.mask.shape
        y, x = int(rng.integers(height - SIDE)), int(rng.integers(width - SIDE))
        made.append(example(picture.image, (picture.mask > 0).astype(np.uint8), y, x))
    return made


def trained(preset: str, data: TrainingData, plan: TrainingOptions | None = None):
    """Return the segmenter, its outcome and the seconds from nothing to trained."""
    began = time.perf_counter()
    segmenter = TorchSegmenterFactory("cpu").build(preset, classes=CLASSES, seed=0)
    outcome = segmenter.train(
        data, plan=plan or TrainingOptions(), on_step=lambda _: None, check_cancelled=lambda: None
    )
    return segmenter, outcome, time.perf_counter() - began


def line(name: str, values: Sequence[float], bar: float) -> None:
    """Print a median with its range beside a bar."""
    median = statistics.median(values)
    print(f"{name:46} {median:6.2f} s  ({min(values):.2f} to {max(values):.2f}; bar {bar:g})")


def times(rounds: int) -> None:
    """Print training and overlay times of the presets for a processor."""
    data = TrainingData(drawn_regions())
    picture = SAMPLE_SETS["histology"].draw(9).image
    print(f"picture {picture.shape[0]} x {picture.shape[1]}, 20 regions of 128 x 128")
    cores = os.cpu_count() or 2
    for threads in (cores, max(1, cores - 1)):
        torch.set_num_threads(threads)
        print(f"{threads} of {cores} cores")
        for preset, bar in (("fast", 5.0), ("unet", 60.0)):
            took, shown = [], []
            for _ in range(rounds):
                segmenter, _, seconds = trained(preset, data)
                took.append(seconds)
                began = time.perf_counter()
                segmenter.predict(
                    picture, plan=InferenceOptions(samples=20), check_cancelled=lambda: None
                )
                shown.append(time.perf_counter() - began)
            line(f"  {preset}: training", took, bar)
            line(f"  {preset}: overlay, 20 passes", shown, 3.0)


def foretold(rounds: int) -> None:
    """Print the seconds that a few steps foretell against those that passed."""
    data = TrainingData(drawn_regions())
    for preset in ("fast", "unet"):
        ratios = []
        for _ in range(rounds):
            segmenter = TorchSegmenterFactory("cpu").build(preset, classes=CLASSES, seed=0)
            expected = segmenter.estimate_training_seconds(data, plan=TrainingOptions())
            ratios.append(expected / trained(preset, data)[2])
        print(
            f"{preset}: foretold / passed {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


def flat() -> None:
    """Print the mean loss over tenths of a training."""
    data = TrainingData(drawn_regions())
    for preset in ("fast", "unet"):
        losses = np.array(trained(preset, data)[1].losses)
        tenths = [part.mean() for part in np.array_split(losses, 10)]
        print(f"{preset}: " + " ".join(f"{value:.3f}" for value in tenths))


def glas(folder: Path, names: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return images and masks of GlaS by name."""
    pairs = []
    for name in names:
        source = open_image(folder / "images" / name)
        image = source.read(0, 0, 0, *source.shape)
        mask = next((folder / "instances").glob(f"{Path(name).stem}*"))
        pairs.append((image, (instance_ids(mask) > 0).astype(np.uint8)))
    return pairs


def instance_ids(path: Path) -> np.ndarray:
    """Return the ids (H, W) of a mask file."""
    from PIL import Image

    return np.asarray(Image.open(path))


def beside(folder: Path, rounds: int, plans: Mapping[str, TrainingOptions], squares: int) -> None:
    """Print Dice of plans beside that of the first, over seeds, on squares of GlaS."""
    names = sorted(p.name for p in (folder / "images").iterdir())
    train = glas(folder, [n for n in names if n.startswith("train")][:40])
    test = glas(folder, [n for n in names if n.startswith("testA")][:12])
    found: dict[str, list[float]] = {}
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        made = []
        order = rng.permutation(len(train))
        for place in range(squares):
            image, mask = train[order[place % len(train)]]
            y = int(rng.integers(mask.shape[0] - SIDE))
            x = int(rng.integers(mask.shape[1] - SIDE))
            made.append(example(image, mask, y, x))

        def window(generator: np.random.Generator, side: int) -> np.ndarray:
            image, mask = train[int(generator.integers(len(train)))]
            y = int(generator.integers(mask.shape[0] - side + 1))
            x = int(generator.integers(mask.shape[1] - side + 1))
            return image[y : y + side, x : x + side]

        data = TrainingData(made, draw_window=window)
        for name, plan in plans.items():
            segmenter, _, seconds = trained("unet", data, plan.with_changes(seed=seed))
            counts = ConfusionMatrix.empty(2)
            for image, mask in test:
                outputs = segmenter.predict(
                    image,
                    plan=InferenceOptions(uncertainty_from="single"),
                    check_cancelled=lambda: None,
                )
                counts = counts.add(outputs.moments.mean_p.argmax(0).astype(np.uint8), mask)
            found.setdefault(name, []).append(counts.mean_dice)
            print(f"seed {seed} {name}: Dice {counts.mean_dice:.3f}, {seconds:.0f} s", flush=True)
    first = next(iter(found.values()))
    for name, values in found.items():
        gains = [a - b for a, b in zip(values, first, strict=True)]
        print(
            f"{name}: median Dice {statistics.median(values):.3f}, paired gain "
            f"{statistics.median(gains):+.3f} ({min(gains):+.3f} to {max(gains):+.3f})"
        )


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--foretell", action="store_true")
    parser.add_argument("--flat", action="store_true")
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--uses", nargs="+", default=["consistency", "s4gan"])
    parser.add_argument("--training-length", type=int, default=1)
    parser.add_argument("--lengths", type=Path)
    parser.add_argument("--times", nargs="+", type=int, default=[1, 3, 10])
    parser.add_argument("--squares", type=int, default=20)
    asked = parser.parse_args()
    histology = TrainingOptions(augmentation="histology")
    if asked.unlabelled is not None:
        longer = histology.with_changes(training_length=asked.training_length)
        plans = {use: longer.with_changes(semi_supervised=use) for use in ("off", *asked.uses)}
        plans["off, twice the steps"] = histology.with_changes(
            training_length=2 * asked.training_length
        )
        beside(asked.unlabelled, asked.rounds, plans, asked.squares)
    elif asked.lengths is not None:
        plans = {f"{n} times": histology.with_changes(training_length=n) for n in asked.times}
        beside(asked.lengths, asked.rounds, plans, asked.squares)
    elif asked.foretell:
        foretold(asked.rounds)
    elif asked.flat:
        flat()
    else:
        times(asked.rounds)


if __name__ == "__main__":
    main()
