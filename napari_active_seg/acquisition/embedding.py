"""Embeddings of regions and images, averaged from a coarse feature map."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import Region

__all__ = ["region_embedding"]


def region_embedding(
    coarse: NDArray[np.floating], shape: tuple[int, int], region: Region
) -> NDArray[np.float64]:
    """Return the mean (D,) of a coarse map (D, h, w) over ``region`` of an image of ``shape``.

    Cells that the region touches count, also where it is smaller than one. The map may reach past
    the image by padding: a cell is the power of two that makes it cover the image.
    """
    if region.bottom > shape[0] or region.right > shape[1]:
        raise BadInputError(f"{region} lies outside its image of {shape[0]} x {shape[1]}")
    rows, columns = (
        _touching_cells(start, length, whole, cells)
        for start, length, whole, cells in (
            (region.y, region.height, shape[0], coarse.shape[1]),
            (region.x, region.width, shape[1], coarse.shape[2]),
        )
    )
    mean: NDArray[np.float64] = coarse[:, rows, columns].astype(np.float64).mean(axis=(1, 2))
    return mean


def _touching_cells(start: int, length: int, whole: int, cells: int) -> slice:
    step = 2 ** max(0, math.ceil(math.log2(whole / cells)))
    return slice(min(start // step, cells - 1), min((start + length - 1) // step, cells - 1) + 1)
