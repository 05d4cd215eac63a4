"""Levels of an image as arrays that read only the window that a viewer shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images.source import ImageSource

__all__ = ["LevelArray", "open_lazy_levels"]


class LevelArray:
    """One level (H, W, 3) uint8; indexing reads the indexed window."""

    def __init__(self, source: ImageSource, level: int) -> None:
        self._source = source
        self._level = level
        self.shape = (*source.level_shapes[level], 3)
        self.dtype = np.dtype(np.uint8)
        self.ndim = 3
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        parts = index if isinstance(index, tuple) else (index,)
        if any(part is Ellipsis for part in parts):
            place = next(k for k, part in enumerate(parts) if part is Ellipsis)
            missing = 3 - (len(parts) - 1)
            parts = (*parts[:place], *[slice(None)] * missing, *parts[place + 1 :])
        full: tuple[Any, ...] = (*parts, *[slice(None)] * (3 - len(parts)))
        rows, columns, channels = full
        (y, height, down), (x, width, across) = (
            _window(part, length) for part, length in zip((rows, columns), self.shape, strict=False)
        )
        if height == 0 or width == 0:
            empty = np.empty((height, width, 3), np.uint8)
            return empty[down, across, channels]
        pixels = self._source.read(self._level, y, x, height, width)
        return pixels[down, across][..., channels]

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        whole = self[:, :]
        return whole if dtype is None else whole.astype(dtype)


def open_lazy_levels(source: ImageSource) -> Sequence[LevelArray]:
    """Return the levels of ``source``, the full resolution first."""
    return [LevelArray(source, level) for level in range(len(source.level_shapes))]


def _window(part: Any, length: int) -> tuple[int, int, Any]:
    """Return first pixel and extent that an index touches, and the index within that window."""
    if isinstance(part, slice):
        picked = range(*part.indices(length))
        if len(picked) == 0:
            return 0, 0, slice(None)
        low, high = min(picked[0], picked[-1]), max(picked[0], picked[-1])
        first = picked[0] - low
        stop = None if picked.step < 0 else high - low + 1
        return low, high - low + 1, slice(first, stop, picked.step)
    place = int(part) + (length if int(part) < 0 else 0)
    if not 0 <= place < length:
        raise IndexError(f"index {part} is out of bounds for an axis of {length}")
    return place, 1, 0
