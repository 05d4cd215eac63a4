"""Cut an image into overlapping tiles that reach every border, and blend them again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["Tile", "blend_window", "tile_grid"]


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of an image that is predicted at once."""

    y: int
    x: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index that cuts the tile out of an array whose first axes are (y, x)."""
        return (slice(self.y, self.y + self.height), slice(self.x, self.x + self.width))


def tile_grid(
    shape: tuple[int, int], *, tile: int, overlap: int, align: int = 1
) -> tuple[Tile, ...]:
    """Return tiles of at most ``tile`` pixels a side that cover ``shape``.

    Neighbours share at least ``overlap`` pixels; the last tile of each axis lies flush
    with the border, so that no row or column is left out. Tiles begin at multiples of ``align``;
    the last one may then reach past the border by less than ``align``.
    """
    if not 0 <= overlap < tile:
        raise BadInputError(f"overlap must be 0 to tile - 1 = {tile - 1}, got {overlap}")
    rows, columns = (_starts(length, tile, overlap, align) for length in shape)
    height, width = min(tile, shape[0]), min(tile, shape[1])
    return tuple(Tile(y, x, height, width) for y in rows for x in columns)


def _starts(length: int, tile: int, overlap: int, align: int) -> list[int]:
    if length <= tile:
        return [0]
    shared = overlap + align - 1  # what rounding to multiples may take away
    if shared >= tile:
        raise BadInputError(f"tiles of {tile} cannot share {overlap} and begin at {align}s")
    last = -(-(length - tile) // align) * align
    count = 1 + -(-last // (tile - shared))
    return [i * last // (count - 1) // align * align for i in range(count)]


def blend_window(height: int, width: int, *, overlap: int) -> NDArray[np.float32]:
    """Return positive weights (H, W) that rise over ``overlap`` pixels from each border.

    Sums of weighted tiles divided by the sum of weights go over smoothly from tile to tile.
    """
    return np.outer(_ramp(height, overlap), _ramp(width, overlap)).astype(np.float32)


def _ramp(length: int, overlap: int) -> NDArray[np.float64]:
    to_border = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return np.sin(np.pi / 2 * np.minimum(1.0, to_border / max(overlap, 1))) ** 2 + 1e-6
