"""Whether one model is worse than another beyond what chance does, on the same images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_active_seg.calibration import student_limits
from napari_active_seg.metrics.bootstrap import LEAST_IMAGES

__all__ = ["Comparison", "compared"]

#: With too few images to tell how differences scatter, a drop of the mean Dice counts as more than
#: noise from here on.
_CLEAR_DROP = 0.03
_CONFIDENCE = 0.95
#: On many images limits get narrow, yet another seed alone moves the Dice by about this much.
_NEGLIGIBLE = 0.005


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean change of Dice over images, and between what limits it lies with 95 %."""

    change: float
    low: float
    high: float
    n_images: int

    @property
    def is_worse(self) -> bool:
        """Whether the newer model is worse beyond the noise."""
        return self.high < 0 and self.change < -_NEGLIGIBLE

    @property
    def is_better(self) -> bool:
        """Whether the newer model is better beyond the noise."""
        return self.low > 0 and self.change > _NEGLIGIBLE

    @property
    def words(self) -> str:
        """The change in words, with its limits."""
        what = "worse" if self.is_worse else "better" if self.is_better else "no clear change"
        images = "image" if self.n_images == 1 else "images"
        return (
            f"{what}: Dice {self.change:+.3f} ({self.low:+.3f} to {self.high:+.3f}) on "
            f"{self.n_images} validation {images}"
        )


def compared(new: Mapping[str, float], old: Mapping[str, float]) -> Comparison | None:
    """Return how ``new`` differs from ``old``, both Dice by image; None without a common image.

    The limits are Student's, of paired differences: how hard an image is goes out. With one or two
    images they are the change and what counts as a clear drop either way.
    """
    common = [i for i in new if i in old and not math.isnan(new[i]) and not math.isnan(old[i])]
    if not common:
        return None
    changes = np.array([new[i] - old[i] for i in common])
    if len(common) < LEAST_IMAGES:
        mean = float(changes.mean())
        return Comparison(mean, mean - _CLEAR_DROP, mean + _CLEAR_DROP, len(common))
    return Comparison(*student_limits(changes, level=_CONFIDENCE), len(common))
