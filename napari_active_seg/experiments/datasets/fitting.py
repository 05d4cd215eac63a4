"""Images and truth brought to the size that a study wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import UNLABELLED

__all__ = ["Fit"]


@dataclass(frozen=True, slots=True)
class Fit:
    """What is done to every image: scaled to ``size`` (H, W) or divided by ``shrink``, then padded.

    ``pad`` (H, W) is reached by mirroring; nothing is known there. Pictures are averaged where
    they shrink and interpolated bilinearly where they grow; ``bilinear`` does so always. Truth is
    taken at the nearest pixel.
    """

    size: tuple[int, int] | None = None
    shrink: float = 1.0
    pad: tuple[int, int] | None = None
    bilinear: bool = False

    def __post_init__(self) -> None:
        if self.shrink < 1:
            raise ConfigError(f"shrink must be 1 or more, got {self.shrink:g}")

    @property
    def changes(self) -> bool:
        """Whether anything is done."""
        return self.size is not None or self.shrink != 1 or self.pad is not None

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture (H, W, 3) as the study wants it."""
        height, width = self._size_of(pixels.shape[:2])
        if (height, width) != pixels.shape[:2]:
            smaller = height * width < pixels.shape[0] * pixels.shape[1]
            how = Image.Resampling.BILINEAR
            if smaller and not self.bilinear:
                how = Image.Resampling.BOX
            pixels = np.asarray(Image.fromarray(pixels).resize((width, height), how))
        return np.pad(pixels, (*self._margins(pixels.shape[:2]), (0, 0)), mode="reflect")

    def truth(self, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return classes (H, W), 255 in what is padded."""
        scaled = self._nearest(classes)
        return np.pad(scaled, self._margins(scaled.shape), constant_values=UNLABELLED)

    def objects(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the ids of objects (H, W), 0 in what is padded."""
        scaled = self._nearest(ids)
        return np.pad(scaled, self._margins(scaled.shape))

    def _nearest(self, values: NDArray) -> NDArray:  # type: ignore[type-arg]
        height, width = self._size_of(values.shape[:2])
        rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype(int)
        columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype(int)
        return values[np.ix_(rows, columns)]

    def _size_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        return max(1, round(shape[0] / self.shrink)), max(1, round(shape[1] / self.shrink))

    def _margins(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return what goes before and after rows and columns; half each way."""
        if self.pad is None:
            return (0, 0), (0, 0)
        more = [max(0, wanted - there) for wanted, there in zip(self.pad, shape, strict=True)]
        return (more[0] // 2, more[0] - more[0] // 2), (more[1] // 2, more[1] - more[1] // 2)
