"""Counting the winners of a pass: a loop over classes beside torch's argmax.

    python benchmarks/votes.py

Rounds are interleaved; medians and quartiles of 2 x 528 x 784 probabilities.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from napari_active_seg.learning.inference import TorchMomentStream

ROUNDS = 15


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    probs = torch.rand(1, 2, 528, 784).softmax(dim=1)[0]
    stream = TorchMomentStream()
    stream.add(probs[None])
    ways = {
        "argmax over the classes": lambda: probs.argmax(dim=0),
        "loop over the classes, votes added": lambda: stream._add_votes(probs, stream._votes),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            times[name].append(1000 * seconds(work))
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:36} {middle:8.2f} ms   {low:.2f} to {high:.2f}")
    first, second = (statistics.median(found) for found in times.values())
    print(f"ratio {first / second:.0f}")


if __name__ == "__main__":
    main()
