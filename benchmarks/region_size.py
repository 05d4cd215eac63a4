"""How many squares hold one class alone, by their size, and which size is suggested.

python benchmarks/region_size.py --masks GLAS/instances --masks ISIC/masks [--scale 2]

Counted are squares over the whole of every mask, and those near what is not background, by which
the size is suggested. --scale enlarges masks by a whole number, for images of more pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import PICTURE_SUFFIXES
from napari_active_seg.importers import read_mask_values
from napari_active_seg.regions import REGION_SIZES, measure_mixed_squares, suggest_region_size


def share_of_all(masks: list[NDArray[np.uint8]], size: int) -> float:
    """Return the share of squares of one class, over the whole of all masks."""
    single = total = 0
    for mask in masks:
        starts = [sorted({*range(0, n - size, max(1, size // 8)), n - size}) for n in mask.shape]
        table = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        y, x = np.ix_(*starts)
        inside = table[y + size, x + size] - table[y, x + size] - table[y + size, x] + table[y, x]
        share = inside / size**2
        single += int(((share < 0.01) | (share > 0.99)).sum())
        total += share.size
    return single / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=Path, action="append", required=True)
    parser.add_argument("--scale", type=int, default=1)
    asked = parser.parse_args()
    larger = np.ones((asked.scale, asked.scale), np.uint8)
    for folder in asked.masks:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
        masks = [np.kron((read_mask_values(p) > 0).astype(np.uint8), larger) for p in paths]
        mixed = measure_mixed_squares(masks)
        shapes = [(mask.shape[0], mask.shape[1]) for mask in masks]
        suggested = suggest_region_size(shapes, mixed=mixed)
        print(f"{folder}: {len(masks)} masks, the first of {shapes[0][0]} x {shapes[0][1]}")
        print(f"{suggested.summary}; without masks {suggest_region_size(shapes).size} px")
        for size in REGION_SIZES:
            fitting = [mask for mask in masks if min(mask.shape) >= size]
            if fitting:
                print(
                    f"  {size:4d} px: one class in {share_of_all(fitting, size):.0%} of all "
                    f"squares, in {1 - mixed[size]:.0%} of those near what is marked"
                )


if __name__ == "__main__":
    main()
