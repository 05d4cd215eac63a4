"""The seam between the loop and any image file."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ImageSource"]


class ImageSource(Protocol):
    """An image that windows can be read from, at one or more levels of detail."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` at level 0, the full resolution."""

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x) at level 0, None where the file does not say."""

    @property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level, the full resolution first."""

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x) of ``level``."""
