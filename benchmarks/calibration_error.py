"""The calibration error of many maps beside two libraries: time, memory, and the value itself.

Run with ``python benchmarks/calibration_error.py`` (netcal and torchmetrics have to be installed;
what is missing is left out). Maps are drawn: probabilities as float32, labels drawn by them, so
that the true error is small and rounding shows. The reference is a sum in extended precision.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SHAPE = (528, 784)
BINS = 15
PEERS = ("ours", "torchmetrics", "netcal")


def drawn_maps(count: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield probabilities (2, H, W) of an overconfident model, and labels."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        p = rng.beta(0.3, 0.3, SHAPE).astype(np.float32)
        truth = rng.random(SHAPE) < 0.15 + 0.7 * p
        yield np.stack([1 - p, p]), truth.astype(np.uint8)


def ours(maps: list[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> float:
    """Return our value of the maps."""
    from napari_active_seg.calibration import ReliabilityBins

    bins = ReliabilityBins.empty(BINS)
    for probs, target in maps:
        bins = bins.add(probs, target)
    return float(bins.expected_calibration_error)


def torchmetrics(maps: list[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> float:
    """Return what torchmetrics says."""
    import torch
    from torchmetrics.classification import MulticlassCalibrationError

    metric = MulticlassCalibrationError(num_classes=2, n_bins=BINS, norm="l1")
    for probs, target in maps:
        metric.update(
            torch.from_numpy(probs)[None], torch.from_numpy(target.astype(np.int64))[None]
        )
    return float(metric.compute())


def netcal(maps: list[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> float:
    """Return what netcal says."""
    from netcal.metrics import ECE

    probs = np.concatenate([p.reshape(2, -1).T for p, _ in maps])
    truth = np.concatenate([t.ravel() for _, t in maps])
    return float(ECE(BINS).measure(probs, truth))


def reference(count: int) -> float:
    """Return the value by sums that are exact to the last digit of float64, map by map."""
    sums: list[list[float]] = [[] for _ in range(BINS)]
    hits = np.zeros(BINS, np.int64)
    edges = np.linspace(0, 1, BINS + 1)
    for probs, target in drawn_maps(count):
        confidence = probs.max(axis=0).astype(np.float64).ravel()
        hit = (probs.argmax(axis=0) == target).ravel()
        place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
        for k in range(BINS):
            sums[k].append(math.fsum(confidence[place == k]))
            hits[k] += int(hit[place == k].sum())
    total = count * SHAPE[0] * SHAPE[1]
    return math.fsum(abs(int(h) - math.fsum(s)) for h, s in zip(hits, sums, strict=True)) / total


def measured_alone(which: str, count: int) -> tuple[float, float, float]:
    """Return seconds, value and megabytes of growth of one library in a process of its own."""
    maps = list(drawn_maps(count))
    compute = {"ours": ours, "torchmetrics": torchmetrics, "netcal": netcal}[which]
    compute(maps[:1])  # imports and first calls
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    value = compute(maps)
    seconds = time.perf_counter() - started
    return seconds, value, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Print times as ratios to ours, round by round, then values against the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=PEERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(*measured_alone(asked.one, asked.maps))
        return
    there = [p for p in PEERS if p == "ours" or importlib.util.find_spec(p)]
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in there}
    for number in range(asked.rounds):
        for name in there if number % 2 else reversed(there):
            command = [sys.executable, __file__, "--maps", str(asked.maps), "--one", name]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, value, grown = (float(word) for word in answer.split()[-3:])
            found[name].append((seconds, value, grown))
    exact = reference(asked.maps)
    print(f"{asked.maps} maps of {SHAPE[0]} x {SHAPE[1]}; reference {exact:.15f}")
    for name, rounds in found.items():
        pairs = zip(rounds, found["ours"], strict=True)
        ratios = [theirs[0] / own[0] for theirs, own in pairs]
        print(
            f"{name}: {statistics.median(r[0] for r in rounds):.2f} s, "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
            f"memory grew by {statistics.median(r[2] for r in rounds):.0f} MB, "
            f"value off by {abs(rounds[0][1] - exact):.1e}"
        )


if __name__ == "__main__":
    main()
