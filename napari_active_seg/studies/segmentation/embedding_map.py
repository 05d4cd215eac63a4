"""Where a first model sees the images of a pool, and which of them each arm chose.

A batch that lies in one place of the map has collapsed onto images that are alike (figure 6 of
Mittal et al. 2025). The map has the two directions along which images differ most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from napari_active_seg._util.atomic_write import atomic_write

__all__ = [
    "MAP",
    "SEEN",
    "draw_seen",
    "flattened",
    "kept_map",
    "load_embeddings",
    "save_embeddings",
    "spread_of",
]

#: What a start keeps: where its model sees the pool, and a map of that, which is small.
SEEN, MAP = "seen.npz", "map.json"


def save_embeddings(folder: Path, ids: NDArray[np.str_], seen: NDArray[np.floating]) -> None:
    """Write down where images ``ids`` (N,) are seen, (N, D), with a map of them."""
    with atomic_write(folder / MAP) as begun:
        drawn = np.round(flattened(seen), 2).tolist()
        begun.write_text(json.dumps(drawn) + "\n", encoding="utf-8")
    with atomic_write(folder / SEEN) as begun, begun.open("wb") as file:
        np.savez_compressed(file, ids=ids, seen=seen)


def load_embeddings(folder: Path) -> tuple[NDArray[np.str_], NDArray[np.floating]] | None:
    """Return the images (N,) and where they are seen (N, D), None where a start kept none."""
    if not (folder / SEEN).is_file():
        return None
    with np.load(folder / SEEN) as kept:
        return kept["ids"], kept["seen"]


def kept_map(folder: Path) -> NDArray[np.float64] | None:
    """Return the map (N, 2) that a start kept, None where it kept none."""
    path = folder / MAP
    return np.array(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def flattened(seen: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the two principal components (N, 2) of embeddings (N, D), each of deviation 1."""
    centred = seen - seen.mean(axis=0, dtype=np.float64)
    directions, spreads, _ = np.linalg.svd(centred, full_matrices=False)
    kept = directions[:, :2] * np.sqrt(len(seen))
    missing = 2 - kept.shape[1]
    kept = np.pad(kept, ((0, 0), (0, max(0, missing))))
    kept[:, np.pad(spreads, (0, 2))[:2] < 1e-9 * max(float(spreads[0]), 1e-300)] = 0
    return kept


def spread_of(seen: NDArray[np.floating], chosen: NDArray[np.bool_]) -> float:
    """Return the mean distance from chosen images to their nearest chosen neighbour, relative.

    1 is what as many images would have that are drawn at random, on average over 200 draws; a batch
    that collapsed is far below. NaN for fewer than two.
    """
    count = int(chosen.sum())
    if count < 2:
        return float("nan")
    rng = np.random.default_rng(0)
    draws = [rng.choice(len(seen), count, replace=False) for _ in range(200)]
    by_chance = float(np.mean([_nearest(seen[index]) for index in draws]))
    return _nearest(seen[chosen]) / by_chance if by_chance > 0 else float("nan")


def _nearest(points: NDArray[np.floating]) -> float:
    apart = cdist(points, points)
    np.fill_diagonal(apart, np.inf)
    return float(apart.min(axis=1).mean())


def draw_seen(
    places: NDArray[np.float64], chosen: Mapping[str, NDArray[np.bool_]], *, columns: int = 4
) -> Figure:
    """Return a map for each arm: the pool in grey, what it chose in orange."""
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(2.3 * min(columns, len(chosen)), 2.3 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, min(columns, len(chosen)))).ravel()
    for one in axes[len(chosen) :]:
        one.set_visible(False)
    for one, (name, mask) in zip(axes, chosen.items(), strict=False):
        one.plot(*places[~mask].T, "o", color="0.75", markersize=2.5)
        one.plot(*places[mask].T, "D", color="#d55e00", markersize=3.5)
        one.set_title(name, fontsize="small")
        one.set(xticks=[], yticks=[])
    return figure
