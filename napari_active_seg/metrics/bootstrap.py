"""Bootstrap confidence intervals from images drawn again, with replacement.

Pixels of one image are alike, so that images are drawn and not pixels. What is summed over images
is summed over the draws by one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["LEAST_IMAGES", "Interval", "bootstrap_interval", "resample_sums"]

#: Fewer images give no useful interval.
LEAST_IMAGES = 3


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its confidence interval; NaN if undefined."""

    value: float
    low: float
    high: float
    level: float = 0.95

    @property
    def summary(self) -> str:
        """The figure with its limits, such as ``0.913 (0.880 to 0.941)``."""
        if np.isnan(self.value):
            return "not known"
        if np.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def resample_sums(
    of_images: NDArray[np.number], *, seed: int = 0, draws: int = 1000
) -> NDArray[np.float64]:
    """Return sums (draws, ...) of (images, ...) over images drawn with replacement.

    One seed draws the same images for every figure of as many images.
    """
    if draws < 1:
        raise BadInputError(f"draws must be 1 or more, got {draws}")
    n = len(of_images)
    flat = np.asarray(of_images, np.float64).reshape(n, -1)
    return (_times_drawn(n, draws, seed) @ flat).reshape(draws, *np.shape(of_images)[1:])


@lru_cache(maxsize=4)
def _times_drawn(n: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Return how often each of n images is drawn (draws, n); drawing takes longer than sums."""
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    return drawn.astype(np.float64)


def bootstrap_interval(
    of_images: NDArray[np.number],
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    seed: int = 0,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Return a score of sums over images with its percentile interval.

    ``score`` takes sums (n, ...) and returns (n,). Of fewer than three images no limits are given.
    """
    if not 0 < level < 1:
        raise BadInputError(f"level must lie between 0 and 1, got {level}")
    if len(of_images) == 0:
        return Interval(np.nan, np.nan, np.nan, level)
    value = float(score(np.asarray(of_images, np.float64).sum(axis=0)[None])[0])
    if len(of_images) < LEAST_IMAGES:
        return Interval(value, np.nan, np.nan, level)
    found = score(resample_sums(of_images, seed=seed, draws=draws))
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return Interval(value, np.nan, np.nan, level)
    low, high = np.quantile(found, ((1 - level) / 2, (1 + level) / 2))
    return Interval(value, float(low), float(high), level)
