"""The interface to any image file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError

__all__ = ["ImageSource", "check_window", "is_read_whole", "map_step", "read_whole"]

#: More pixels than this do not go through a network in one piece: their moments alone would take
#: gigabytes.
_WHOLE_UP_TO = 25_000_000
#: Most pixels of the maps of larger ones.
_MOST_MAPPED = 12_500_000


class ImageSource(Protocol):
    """An image that windows can be read from, at one or more levels of detail.

    A source pickles by its path: an open file does not travel, it is opened again.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` at level 0, the full resolution."""

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x) at level 0, None where the file has none."""

    @property
    def white(self) -> int | None:
        """The value that stands for white in pixels deeper than 8 bits, None for 8 bits."""

    @property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level, the full resolution first."""

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x) of ``level``."""


def is_read_whole(shape: tuple[int, int]) -> bool:
    """Return whether an image of ``shape`` is small enough to be read in one piece."""
    return shape[0] * shape[1] <= _WHOLE_UP_TO


def map_step(shape: tuple[int, int]) -> int:
    """Return the side of the squares of which maps of an image keep one pixel.

    It is 1 where the image goes whole, and a power of two elsewhere.
    """
    if is_read_whole(shape):
        return 1
    wider = math.log2(math.sqrt(shape[0] * shape[1] / _MOST_MAPPED))
    return int(2 ** max(1, math.ceil(wider)))


def read_whole(source: ImageSource, name: str) -> NDArray[np.uint8]:
    """Return a whole image (H, W, 3) uint8; ImageError if it is a slide too large for that."""
    height, width = source.shape
    if not is_read_whole(source.shape):
        raise ImageError(
            f"{name} is {height:,} x {width:,} pixels, too large to be taken as a whole"
        )
    return source.read(0, 0, 0, height, width)


def check_window(
    name: str,
    level_shapes: Sequence[tuple[int, int]],
    level: int,
    y: int,
    x: int,
    height: int,
    width: int,
) -> None:
    """Raise ImageError unless the window lies inside its level."""
    if not 0 <= level < len(level_shapes):
        raise ImageError(f"{name} has {len(level_shapes)} level(s), got level {level}")
    rows, columns = level_shapes[level]
    if y < 0 or x < 0 or height < 1 or width < 1 or y + height > rows or x + width > columns:
        raise ImageError(
            f"{name} is {rows} x {columns} at level {level}; "
            f"a window of {height} x {width} at ({y}, {x}) does not lie inside"
        )
