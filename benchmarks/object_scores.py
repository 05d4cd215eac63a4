"""How long the GlaS contest's scores take, on one core.

    taskset -c 0 python benchmarks/object_scores.py --instances DIR

``DIR`` holds instance maps as PNG; without it maps are drawn. Each is scored against itself with
its borders shifted by smooth noise, so that objects touch, part and go missing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.io import imread

from napari_active_seg.metrics import (
    GlasSums,
    PanopticSums,
    compute_glas_sums,
    compute_panoptic_sums,
)

SHAPE = (528, 784)
Pair = tuple[NDArray[np.int32], NDArray[np.int32]]


def truths(folder: Path | None, count: int) -> list[NDArray[np.int32]]:
    """Return instance maps of one shape: those of a folder, or drawn ones."""
    if folder is None:
        rng = np.random.default_rng(1)
        maps = (ndimage.gaussian_filter(rng.normal(size=SHAPE), 22) > 0.012 for _ in range(count))
        return [ndimage.label(drawn)[0].astype(np.int32) for drawn in maps]
    found = []
    for path in sorted(folder.glob("train*.png"))[:count]:
        whole = np.zeros(SHAPE, np.int32)
        read = imread(path)[: SHAPE[0], : SHAPE[1]]
        whole[: read.shape[0], : read.shape[1]] = read
        found.append(whole)
    return found


def disturbed(truth: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Return objects with their borders moved."""
    noise = 6 * ndimage.gaussian_filter(rng.normal(size=truth.shape), 12)
    soft = ndimage.gaussian_filter((truth > 0).astype(float), 3)
    return np.asarray(ndimage.label(soft + noise > 0.5)[0], np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path)
    parser.add_argument("--pairs", type=int, default=85)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    pairs = [(disturbed(t, rng), t) for t in truths(asked.instances, asked.pairs)]
    seconds, of_panoptic = [], []
    for _ in range(asked.rounds):
        began = time.perf_counter()
        total = sum((compute_glas_sums(*pair) for pair in pairs), GlasSums())
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        panoptic = sum((compute_panoptic_sums(*pair) for pair in pairs), PanopticSums())
        of_panoptic.append(time.perf_counter() - began)
    objects = statistics.mean(int(truth.max()) for _, truth in pairs)
    print(f"{len(pairs)} pairs of {SHAPE[0]} x {SHAPE[1]}, {objects:.1f} objects each")
    print(
        f"contest: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}); "
        f"F1 {total.object_f1:.3f}, Dice {total.object_dice:.3f}, "
        f"Hausdorff {total.object_hausdorff:.1f}"
    )
    print(f"panoptic: {statistics.median(of_panoptic):.2f} s; PQ {panoptic.panoptic_quality:.3f}")


if __name__ == "__main__":
    main()
