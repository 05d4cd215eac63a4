"""Where to look next: search for windows, k-centre greedy, and how redundant pools are.

    python benchmarks/regions.py                 windows over 85 maps of 528 x 784
    python benchmarks/regions.py --million       the best of a million windows beside sorting them
    python benchmarks/regions.py --optimum       greedy beside the exact optimum, on small maps
    python benchmarks/regions.py --k-centre      500 of 100,000 embeddings of 256 dimensions
    python benchmarks/regions.py --redundancy DIR [DIR ...]     pools of images, and copies of them

What is compared, in one process and in interleaved rounds, with torch on one thread as numpy is:

- ours: from maps to the 20 best windows that do not overlap;
- table: one float64 summed-area table of each map by numpy, and nothing else: the limit;
- convolution: torch's conv2d with a kernel of ones at the same stride, and nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.optimize import Bounds, LinearConstraint, milp

from napari_active_seg.acquisition import (
    Aggregate,
    CostModel,
    PoolImage,
    Search,
    Strategy,
    draw_windows,
    gather,
    group_sequences,
    k_centre_greedy,
    measure_redundancy,
    similarity,
)
from napari_active_seg.acquisition.windows import find_best_windows, score_windows
from napari_active_seg.images import read_rgb, scan_folder
from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.studies.datasets.base import Sample
from napari_active_seg.studies.datasets.redundancy import copied_pool

SHAPE, MAPS, BEST = (528, 784), 85, 20
WINDOWS = (32, 64, 128, 256)


def maps(n: int = MAPS) -> list[np.ndarray]:
    draws = np.random.default_rng(0)
    return [draws.random(SHAPE, np.float32) for _ in range(n)]


def ours(values: list[np.ndarray], window: int, stride: int) -> Callable[[], object]:
    strategy = Strategy("s", measure="entropy", size=window, stride=stride)
    search = Search(strategy, Aggregate("mean"), CostModel(), most=BEST)

    def work() -> object:
        pool = (PoolImage(str(i), SHAPE, uncertainty=m) for i, m in enumerate(values))
        return gather(pool, search, np.random.default_rng(0))

    return work


def tables(values: list[np.ndarray]) -> Callable[[], object]:
    def work() -> object:
        for one in values:
            table = np.zeros((SHAPE[0] + 1, SHAPE[1] + 1))
            np.cumsum(np.cumsum(one, axis=0, dtype=np.float64), axis=1, out=table[1:, 1:])
        return table

    return work


def convolution(values: list[np.ndarray], window: int, stride: int) -> Callable[[], object]:
    kernel = torch.ones(1, 1, window, window)

    def work() -> object:
        for one in values:
            found = torch.nn.functional.conv2d(
                torch.from_numpy(one)[None, None], kernel, None, stride
            )
        return found

    return work


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def compare_searches(rounds: int) -> None:
    torch.set_num_threads(1)
    values = maps()
    few = values[:2]
    print(
        f"{MAPS} maps of {SHAPE[0]} x {SHAPE[1]}, the best {BEST} windows; ratios of time, medians"
    )
    print("window stride   ours / table            convolution / ours      ours, ms a map")
    for window in WINDOWS:
        for stride in (1, window // 4, window):
            search, limit = ours(values, window, stride), tables(values)
            dense = stride == 1
            beside = convolution(few if dense else values, window, stride)
            search(), limit()
            against_table, against_convolution, own = [], [], []
            for _ in range(rounds):
                took, table = seconds(search), seconds(limit)
                skip = dense and window not in (32, 128)  # minutes each
                convolved = float("nan") if skip else seconds(beside)
                if dense:
                    convolved *= MAPS / len(few)
                own.append(took)
                against_table.append(took / table)
                against_convolution.append(convolved / took)
            print(
                f"{window:6d} {stride:6d}   {spread(against_table):23s} "
                f"{spread(against_convolution):23s} {statistics.median(own) / MAPS * 1e3:8.2f}"
            )


def compare_million(rounds: int) -> None:
    values = np.random.default_rng(1).random((1127, 1127)).astype(np.float32)
    image = PoolImage("a", values.shape, uncertainty=values)
    grid = score_windows(image, 128, 1, aggregate=Aggregate("mean"))
    print(f"{grid.value.size:,} windows of 128 pixels, once their sums are known; the best {BEST}")

    def search() -> object:
        return list(islice(find_best_windows(copy, np.random.default_rng(0)), BEST))

    picking, sorting = [], []
    for _ in range(rounds):
        copy = score_windows(image, 128, 1, aggregate=Aggregate("mean"))
        picking.append(seconds(search))
        sorting.append(seconds(lambda: np.argsort(grid.value, axis=None)))
    ratios = [a / b for a, b in zip(sorting, picking, strict=True)]
    print(
        f"sorting them all / ours: {spread(ratios)}; ours {statistics.median(picking) * 1e3:.1f} ms"
    )


def optimum(scores: np.ndarray, boxes: list[tuple[int, int]], size: int, count: int) -> float:
    """Return the highest sum of ``count`` windows that share no pixel, by integer programming."""
    y, x = np.array(boxes).T
    rows = []
    for row in range(int(y.max()) + size):
        for column in range(int(x.max()) + size):
            covers = (y <= row) & (row < y + size) & (x <= column) & (column < x + size)
            rows.append(covers)
    cover = np.unique(np.array(rows, float), axis=0)
    limits = [LinearConstraint(cover, -np.inf, 1), LinearConstraint(np.ones((1, len(y))), 0, count)]
    found = milp(-scores, constraints=limits, integrality=np.ones(len(y)), bounds=Bounds(0, 1))
    return float(-found.fun)


def compare_optimum(cases: int) -> None:
    gaps = []
    for seed in range(cases):
        draws = np.random.default_rng(seed)
        values = gaussian_filter(draws.random((40, 40)), 3).astype(np.float32)
        values -= values.min()
        image = PoolImage("a", values.shape, uncertainty=values)
        grid = score_windows(image, 12, 2, aggregate=Aggregate("mean"))
        boxes = [(int(y), int(x)) for y in grid.rows.starts for x in grid.columns.starts]
        scores = grid.value.ravel().copy()
        picks = [pick.information for pick in islice(find_best_windows(grid, draws), 4)]
        gaps.append(1 - sum(picks) / optimum(scores, boxes, 12, len(picks)))
    print(
        f"greedy falls short of the exact optimum by {np.mean(gaps):.2%} on average and "
        f"{np.max(gaps):.2%} at most, over {cases} smooth maps of 40 x 40, 4 windows of 12, "
        "stride 2"
    )


def compare_k_centre(rounds: int, n: int, dimensions: int, count: int) -> None:
    draws = np.random.default_rng(0)
    points = draws.normal(size=(n, dimensions)).astype(np.float32)
    labelled = draws.normal(size=(1, dimensions)).astype(np.float32)
    ratios, own = [], []
    for _ in range(rounds):
        took = seconds(lambda: k_centre_greedy(points, labelled, count, np.random.default_rng(0)))

        def products() -> object:
            for index in range(count):
                found = points @ points[index]
            return found

        ratios.append(took / seconds(products))
        own.append(took)
    tracemalloc.start()
    k_centre_greedy(points, labelled, 20, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    print(
        f"k-centre, {count} of {n:,} x {dimensions}: ours / matrix products {spread(ratios)}; "
        f"{statistics.median(own):.1f} s; {peak:.0f} MB at most beside embeddings of "
        f"{points.nbytes / 2**20:.0f} MB"
    )


def tell_redundancy(folders: list[Path], size: int, places: int) -> None:
    """Pools as they are, and made of some images with five copies of each, at half size.

    Redundancy of places that are drawn anywhere, and how alike images are that follow each other.
    """
    segmenter = TorchSegmenterFactory("cpu").build("fast", classes=("a", "b"), seed=0)
    for folder in folders:
        samples = tuple(
            Sample(image.id, partial(halved, image.path), partial(np.zeros, (1, 1), np.uint8))
            for image in scan_folder(folder).images[:100]
        )
        for words, pool in (
            ("as it is", samples),
            ("with copies", copied_pool(samples, copies=5, seed=0)),
        ):
            pixels = {sample.id: sample.image() for sample in pool}
            found = [
                (of_places(segmenter, pixels, size, places, seed), of_runs(segmenter, pixels, seed))
                for seed in range(3)
            ]
            told = [
                f"{np.mean(v):.2f} ({min(v):.2f} to {max(v):.2f})" for v in zip(*found, strict=True)
            ]
            print(
                f"{folder.parent.name}/{folder.name} {words}: redundancy {told[0]} over up to "
                f"{places} places of {size}, likeness {told[1]}"
            )


def halved(path: Path) -> np.ndarray:
    return np.ascontiguousarray(read_rgb(path)[::2, ::2])


def of_places(
    segmenter: Segmenter, pixels: dict[str, np.ndarray], size: int, places: int, seed: int
) -> float:
    pool = [PoolImage(name, image.shape[:2]) for name, image in pixels.items()]
    drawn = draw_windows(pool, count=places, size=size, rng=np.random.default_rng(seed))
    regions = [candidate.place.region for candidate in drawn]
    seen = [mean_seen(segmenter, pixels[r.image_id][r.slices]) for r in regions]
    return measure_redundancy(np.stack(seen), np.random.default_rng(1))


def of_runs(segmenter: Segmenter, pixels: dict[str, np.ndarray], seed: int) -> float:
    rng = np.random.default_rng(seed)
    runs = group_sequences(tuple(pixels), most=100, rng=rng)
    return similarity(
        np.stack([mean_seen(segmenter, pixels[name]) for run in runs for name in run]), rng
    )


def mean_seen(segmenter: Segmenter, crop: np.ndarray) -> np.ndarray:
    return segmenter.embed(crop, check_cancelled=lambda: None).mean(axis=(1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--optimum", action="store_true")
    parser.add_argument("--k-centre", action="store_true")
    parser.add_argument("--redundancy", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--places", type=int, default=150)
    parser.add_argument("--points", type=int, default=100_000)
    asked = parser.parse_args()
    if asked.million:
        compare_million(asked.rounds)
    elif asked.optimum:
        compare_optimum(100)
    elif asked.k_centre:
        compare_k_centre(asked.rounds, asked.points, 256, 500)
    elif asked.redundancy:
        tell_redundancy(asked.redundancy, asked.size, asked.places)
    else:
        compare_searches(asked.rounds)


if __name__ == "__main__":
    main()
