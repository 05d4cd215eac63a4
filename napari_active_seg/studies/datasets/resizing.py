"""Images and truth brought to the size that a study wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import UNLABELLED

__all__ = ["Fit", "nearest"]

_Number = TypeVar("_Number", bound=np.generic)


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
        scaled = nearest(classes, self._size_of(classes.shape))
        return np.pad(scaled, self._margins(scaled.shape), constant_values=UNLABELLED)

    def objects(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the ids of objects (H, W), 0 in what is padded."""
        scaled = nearest(ids, self._size_of(ids.shape))
        return np.pad(scaled, self._margins(scaled.shape))

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


def nearest(values: NDArray[_Number], size: tuple[int, int]) -> NDArray[_Number]:
    """Return values (H, W) at another size, each the one that lies nearest."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * there / wanted).astype(int)
        for wanted, there in zip(size, values.shape[:2], strict=True)
    )
    return values[np.ix_(rows, columns)]
