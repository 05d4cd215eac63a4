"""Compare two models on the same images: which one to use, and whether the difference is clear."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_active_seg.calibration import student_limits
from napari_active_seg.metrics.bootstrap import LEAST_IMAGES

__all__ = ["Comparison", "compare"]

#: With too few images to estimate the spread of differences, a drop of the mean Dice counts as more
#: than noise from here on.
_CLEAR_DROP = 0.03
_CONFIDENCE = 0.95
#: On many images limits get narrow, yet another seed alone moves the Dice by about this much.
_NEGLIGIBLE = 0.005
#: Means that differ by less are equal: sums of the same scores in another order differ that much.
_TIE = 1e-9
#: A comparison on fewer images than this is called weak.
_FEW_IMAGES = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean Dice over images of a new and an older model, and the mean change.

    ``low`` and ``high`` are the 95 % limits of the change.
    """

    change: float
    low: float
    high: float
    n_images: int
    new: float
    old: float

    @property
    def prefers_new(self) -> bool:
        """Whether the newer model should be used: its mean Dice is as high or higher.

        A clear difference and an unclear one are decided alike; equal scores go to the newer
        model, which has learned from more labels.
        """
        return self.change >= -_TIE

    @property
    def is_weak(self) -> bool:
        """Whether there are too few images for the comparison to mean much."""
        return self.n_images < _FEW_IMAGES

    @property
    def is_worse(self) -> bool:
        """Whether the newer model is worse beyond the noise."""
        return self.high < 0 and self.change < -_NEGLIGIBLE

    @property
    def is_better(self) -> bool:
        """Whether the newer model is better beyond the noise."""
        return self.low > 0 and self.change > _NEGLIGIBLE

    @property
    def summary(self) -> str:
        """Both scores and the change with its limits, in one line."""
        what = "Worse" if self.is_worse else "Better" if self.is_better else "No clear change"
        limits = f"95 % CI {self.low:+.3f}...{self.high:+.3f}, "
        if self.n_images < LEAST_IMAGES:
            limits = ""
        images = f"{self.n_images} {'image' if self.n_images == 1 else 'images'}"
        weak = ", too few for a strong comparison" if self.is_weak else ""
        return (
            f"{what}: Dice {self.new:.3f} vs {self.old:.3f} "
            f"({self.change:+.3f}, {limits}{images}{weak})"
        )


def compare(new: Mapping[str, float], old: Mapping[str, float]) -> Comparison | None:
    """Compare the scores of two models on the images that both were evaluated on.

    The confidence interval is Student's, of paired differences, so that the difficulty of an image
    cancels. With one or two images it is the change plus and minus a clear drop.

    Parameters
    ----------
    new, old
        Dice by image of the newer and of the older model; NaN is left out.

    Returns
    -------
    Comparison or None
        Both means and the change with its interval; None without a common image.

    Examples
    --------
    >>> result = compare({"a": 0.8, "b": 0.9}, {"a": 0.7, "b": 0.9})
    >>> round(result.change, 2), result.n_images, result.prefers_new
    (0.05, 2, True)
    """
    common = [i for i in new if i in old and not math.isnan(new[i]) and not math.isnan(old[i])]
    if not common:
        return None
    changes = np.array([new[i] - old[i] for i in common])
    if len(common) < LEAST_IMAGES:
        mean = float(changes.mean())
        limits = (mean, mean - _CLEAR_DROP, mean + _CLEAR_DROP)
    else:
        limits = student_limits(changes, level=_CONFIDENCE)
    scores = (float(np.mean([which[i] for i in common])) for which in (new, old))
    return Comparison(*limits, len(common), *scores)
