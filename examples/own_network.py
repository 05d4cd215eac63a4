"""Train a network of your own beside the one for laptops.

    python examples/own_network.py [FOLDER]

This file registers itself in the environment; in a package an entry point does the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from torch import nn

from napari_active_seg import create_project, open_session
from napari_active_seg.images.samples import write_sample_set


def block(before: int, after: int, stride: int) -> nn.Module:
    """Return a convolution with its norm."""
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


def build(n_classes: int) -> nn.Module:
    """Return a small network; its dropout is what the passes differ by."""
    return nn.Sequential(
        block(3, 16, 1),
        block(16, 32, 2),
        nn.Dropout2d(0.2),
        nn.Conv2d(32, n_classes, 1),
    )


def main(folder: Path) -> None:
    """Train both on the same labels and print their scores."""
    os.environ["NAPARI_ACTIVE_SEG_NETWORKS"] = f"mine={Path(__file__).resolve()}:build"
    data = folder / "data"
    sample = write_sample_set("histology", data, count=4)
    create_project(
        folder / "project",
        images_dir=data / "images",
        masks_dir=data / "masks",
        classes=sample.classes,
    )
    session = open_session(folder / "project")
    session.proposals.propose(count=6, size=96)
    session.labels.answer_from_masks(data / "masks")
    session.train(preset="mine", settings={"steps": 150, "crop": 64, "batch": 8})
    session.train(preset="fast", init="scratch")
    for model in session.state.models:
        print(f"{model.id} ({model.preset}): mean Dice {model.metrics['mean_dice']:.3f}")
    session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-network"))
