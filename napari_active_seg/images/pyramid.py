"""A coarse picture of a large one that has none, computed once from its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Overview"]

_BAND_ROWS = 512


class Overview:
    """The mean of every ``factor`` x ``factor`` pixels; made when it is first read.

    ``read(y, x, height, width)`` gives windows of the large picture.
    """

    def __init__(
        self,
        read: Callable[[int, int, int, int], NDArray[np.uint8]],
        shape: tuple[int, int],
        *,
        longest: int,
    ) -> None:
        self._read = read
        self._full = shape
        self.factor = max(1, -(-max(shape) // longest))
        self.shape = (max(1, shape[0] // self.factor), max(1, shape[1] // self.factor))
        self._turn = threading.Lock()
        self._pixels: NDArray[np.uint8] | None = None

    def read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return a window (height, width, 3) of the coarse picture."""
        with self._turn:
            if self._pixels is None:
                self._pixels = self._made()
        return self._pixels[y : y + height, x : x + width]

    def _made(self) -> NDArray[np.uint8]:
        rows, columns = self.shape
        out = np.empty((rows, columns, 3), np.uint8)
        at_once = max(1, _BAND_ROWS // self.factor)
        for top in range(0, rows, at_once):
            count = min(at_once, rows - top)
            band = self._band(top, count)
            out[top : top + count] = band
        return out

    def _band(self, top: int, count: int) -> NDArray[np.uint8]:
        f, columns = self.factor, self.shape[1]
        band = np.empty((count, columns, 3), np.uint8)
        across = max(1, 4096 // f)
        height = min(count * f, self._full[0] - top * f)
        for left in range(0, columns, across):
            wide = min(across, columns - left)
            width = min(wide * f, self._full[1] - left * f)
            window = self._read(top * f, left * f, height, width)
            blocks = window.reshape(count, height // count, wide, width // wide, 3)
            band[:, left : left + wide] = blocks.mean(axis=(1, 3), dtype=np.float32) + 0.5
        return band
