"""Aggregate an uncertainty map over a region: mean, sum, maximum, top share, or a count.

All but the maximum are sums over a map made for it, so that windows of any size, polygons and
whole images go the same way:

- ``mean``: sum of u / pixels of the place
- ``sum``: sum of u
- ``top``: sum of u [u >= q] / pixels, q being the quantile of the pool that leaves its share
- ``count``: how many pixels have u > threshold * bound, the bound being the measure's highest
- ``max``: the highest u
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.window_sums import WindowAxis, window_maxima, window_sums
from napari_active_seg.errors import ConfigError, did_you_mean

__all__ = ["AGGREGATES", "Aggregate", "pool_quantile"]

AGGREGATES = {
    "mean": "mean over the place",
    "sum": "sum over the place, so that large places count more",
    "max": "highest pixel",
    "top": "mean in which only the top share of the pool's pixels counts",
    "count": "how many pixels lie above the threshold",
}
_BINS = 1 << 16


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate of a map over a region; ``cut`` is the threshold of ``top`` and ``count``."""

    name: str = "mean"
    cut: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in AGGREGATES:
            raise ConfigError(f"no aggregate {self.name!r}: {did_you_mean(self.name, AGGREGATES)}")

    def weigh(self, values: NDArray[np.float32]) -> NDArray[np.generic]:
        """Return the map whose sums (or highest values) make the number."""
        if self.name == "count":
            return values > self.cut
        if self.name == "top":
            return np.where(values >= self.cut, values, np.float32(0))
        return values

    def of_windows(
        self, values: NDArray[np.float32], rows: WindowAxis, columns: WindowAxis
    ) -> NDArray[np.float64]:
        """Return the aggregate of each window from its sums, which may be off 0 by rounding."""
        weighed = self.weigh(values)
        if self.name == "max":
            return window_maxima(weighed, rows, columns)
        is_mean = self.name in ("mean", "top")
        scale = 1 / (rows.extent * columns.extent) if is_mean else 1.0
        return window_sums(weighed, rows, columns, scale=scale)

    def of_pixels(self, values: NDArray[np.float32]) -> float:
        """Return the aggregate of the pixels of one region, in any order."""
        weighed = self.weigh(values)
        if self.name == "max":
            return float(weighed.max())
        total = float(weighed.sum(dtype=np.float64))
        return total / values.size if self.name in ("mean", "top") else total


def pool_quantile(maps: Iterable[tuple[NDArray[np.float32], int]], share: float) -> float:
    """Return the value that the top ``share`` of all pixels of all maps reach.

    Each map comes with how many pixels of its image one of its own stands for.

    It is the lower edge of the bin that holds the quantile, of 65,536 between 0 and the highest
    value so far: a pool of any size needs the memory of one map.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"the top share must be above 0 and at most 1, got {share}")
    counts, highest = np.zeros(_BINS, np.int64), 0.0
    for values, weight in maps:
        top = float(values.max(initial=0.0))
        if top > highest:
            counts = _rebin(counts, highest, top)
            highest = top
        if highest > 0:
            counts += weight * np.histogram(values, _BINS, (0.0, highest))[0]
    above = np.cumsum(counts[::-1])[::-1]
    if highest == 0 or above[0] == 0:
        return 0.0
    place = int(np.flatnonzero(above >= share * above[0])[-1])
    return place * highest / _BINS


def _rebin(counts: NDArray[np.int64], before: float, after: float) -> NDArray[np.int64]:
    """Return the histogram over a wider range: each bin goes where its lower edge lies."""
    wider = np.zeros_like(counts)
    if before > 0:
        np.add.at(wider, (np.arange(_BINS) * (before / after)).astype(np.int64), counts)
    return wider
