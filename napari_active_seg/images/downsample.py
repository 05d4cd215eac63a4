"""Whole pictures or slides at a low resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images.source import ImageSource

__all__ = ["coarse_window", "picture_at_step", "read_coarse_view"]


def read_coarse_view(source: ImageSource, *, longest: int) -> NDArray[np.uint8]:
    """Read the whole image (h, w, 3), the longer side ``longest`` pixels to less than twice that.

    The coarsest level that is fine enough is read, and its pixels are averaged by whole steps.
    """
    shapes = source.level_shapes
    fine = [k for k, shape in enumerate(shapes) if max(shape) >= longest] or [0]
    level = fine[-1]
    pixels = source.read(level, 0, 0, *shapes[level])
    return _shrink(pixels, max(1, max(shapes[level]) // longest))


def coarse_window(
    source: ImageSource, y: int, x: int, height: int, width: int, *, least: int
) -> NDArray[np.uint8]:
    """Return a window of the full picture from the coarsest level at which it is fine enough.

    Its sides are ``least`` pixels at least, where the image has that many.
    """
    full = source.level_shapes[0]
    level = 0
    for k, shape in enumerate(source.level_shapes):
        if min(height * shape[0] / full[0], width * shape[1] / full[1]) >= least:
            level = k
    rows, columns = source.level_shapes[level]
    top, left = y * rows // full[0], x * columns // full[1]
    high = max(1, min(rows - top, round(height * rows / full[0])))
    wide = max(1, min(columns - left, round(width * columns / full[1])))
    return source.read(level, top, left, high, wide)


def picture_at_step(source: ImageSource, step: int) -> NDArray[np.uint8]:
    """Read the whole image with a pixel (h, w, 3) for each full square of ``step`` pixels."""
    height, width = (max(1, length // step) for length in source.shape)
    fine = read_coarse_view(source, longest=max(height, width))
    rows = (np.arange(height) * 2 + 1) * step * fine.shape[0] // (2 * source.shape[0])
    columns = (np.arange(width) * 2 + 1) * step * fine.shape[1] // (2 * source.shape[1])
    rows, columns = (
        np.minimum(index, length - 1)
        for index, length in zip((rows, columns), fine.shape, strict=False)
    )
    return np.ascontiguousarray(fine[rows][:, columns])


def _shrink(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return the means of ``step`` x ``step`` pixels; an incomplete last row counts as well."""
    if step == 1:
        return pixels
    rows = np.arange(0, pixels.shape[0], step)
    columns = np.arange(0, pixels.shape[1], step)
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0, dtype=np.uint32), columns, axis=1)
    high = np.diff(np.append(rows, pixels.shape[0]))
    wide = np.diff(np.append(columns, pixels.shape[1]))
    return (sums // (high[:, None] * wide[None, :])[..., None]).astype(np.uint8)
