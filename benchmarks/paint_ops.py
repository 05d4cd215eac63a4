"""How long the tools that look at the image take in a region.

    python benchmarks/paint_ops.py                 # drawn tissue
    python benchmarks/paint_ops.py PICTURE         # regions of a picture

The bar: a smart fill, the first in its region with all that it has to work out, in under 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_active_seg.images import open_image
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.paint_ops import MagicWand, remove_small_regions, smooth_mask, snap_to_edges


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds of a piece of work."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def times_in(pixels: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Return the milliseconds that each tool takes in a region."""
    side = pixels.shape[0]
    row, column = (int(v) for v in rng.integers(0, side, 2))
    made: list[MagicWand] = []

    def first() -> None:
        made.append(MagicWand(pixels))
        made[0].around(row, column, likeness=9.0)

    found = {"smart fill, the first": timed(first)}
    found["smart fill, the next"] = timed(lambda: made[0].around(column, row, likeness=18.0))
    area = made[0].around(row, column, likeness=9.0)
    paint = np.where(area, 1, 2).astype(np.uint8)
    found["snap"] = timed(lambda: snap_to_edges(area, pixels))
    found["smooth"] = timed(lambda: smooth_mask(paint))
    found["specks"] = timed(lambda: remove_small_regions(paint, least=max(12, paint.size // 1500)))
    return found


def main() -> None:
    """Time every tool on regions drawn from a picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--regions", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.picture is None:
            write_sample_set("histology", Path(name), count=1)
            asked.picture = next((Path(name) / "images").iterdir())
        source, rng = open_image(asked.picture), np.random.default_rng(0)
        for side in (128, 256, 512):
            found: dict[str, list[float]] = {}
            for _ in range(asked.regions):
                y, x = (int(rng.integers(0, length - side + 1)) for length in source.shape)
                for tool, ms in times_in(source.read(0, y, x, side, side), rng).items():
                    found.setdefault(tool, []).append(ms)
            for tool, values in found.items():
                print(
                    f"{side:4} x {side:<4} {tool:24} {statistics.median(values):6.1f} ms  "
                    f"({min(values):.1f} to {max(values):.1f})"
                )


if __name__ == "__main__":
    main()
