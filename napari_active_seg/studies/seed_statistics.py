"""Values over seeds: mean and deviation, ratios, and differences in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

__all__ = ["Paired", "Spread", "compare_pairs", "ratios_by_seed"]


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over seeds with its deviation; ``n`` of ``of`` seeds had a value."""

    mean: float
    deviation: float
    n: int
    of: int

    @staticmethod
    def over(values: Sequence[float | None]) -> Spread:
        """Return the spread of the known ones of ``values``."""
        known = [value for value in values if value is not None]
        if not known:
            return Spread(math.nan, math.nan, 0, len(values))
        deviation = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
        return Spread(float(np.mean(known)), deviation, len(known), len(values))

    @staticmethod
    def over_seeds(by_seed: Mapping[int, float | None]) -> Spread:
        """Return the spread of the known values of all seeds."""
        return Spread.over(list(by_seed.values()))

    def times(self, factor: float) -> Spread:
        """Return the spread of values that are ``factor`` times as large."""
        return replace(self, mean=self.mean * factor, deviation=self.deviation * factor)

    def describe(self, digits: int = 1) -> str:
        """Return mean and deviation, and the number of seeds if some are unknown."""
        if self.n == 0:
            return "not reached"
        text = f"{self.mean:.{digits}f}"
        if not math.isnan(self.deviation):
            text += f" ± {self.deviation:.{digits}f}"
        return text if self.n == self.of else f"{text} ({self.n} of {self.of})"


@dataclass(frozen=True, slots=True)
class Paired:
    """How one arm differs from another over the seeds that both have.

    ``low`` and ``high`` hold the mean difference in 95 of 100 cases, and ``p`` is the chance of a
    difference as large where there is none, both by Student's t of pairs; ``better`` counts seeds.
    NaN where there are fewer than two pairs.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    better: int

    @property
    def summary(self) -> str:
        """The difference as text."""
        if self.n == 0:
            return "no seed in common"
        text = f"{self.difference:+.3f}"
        if self.n > 1:
            text += f" ({self.low:+.3f} to {self.high:+.3f}), p {self.p:.3f}"
        return f"{text}, better in {self.better} of {self.n}"


def compare_pairs(one: Mapping[int, float | None], other: Mapping[int, float | None]) -> Paired:
    """Return how ``one`` differs from ``other`` over their common seeds."""
    differences = []
    for seed, value in one.items():
        partner = other.get(seed)
        if value is not None and partner is not None:
            differences.append(value - partner)
    n = len(differences)
    if n == 0:
        return Paired(0, math.nan, math.nan, math.nan, math.nan, 0)
    mean, better = float(np.mean(differences)), sum(d > 0 for d in differences)
    if n == 1:
        return Paired(1, mean, math.nan, math.nan, math.nan, better)
    error = float(np.std(differences, ddof=1)) / math.sqrt(n)
    if error == 0:
        return Paired(n, mean, mean, mean, 1.0 if mean == 0 else 0.0, better)
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, n - 1))
    return Paired(n, mean, mean - reach, mean + reach, p, better)


def ratios_by_seed(
    ours: Mapping[int, float | None], theirs: Mapping[int, float | None]
) -> dict[int, float | None]:
    """Return the ratio of ours to theirs for each seed, None where either is unknown."""
    pairs = {seed: (value, theirs.get(seed)) for seed, value in ours.items()}
    return {seed: a / b if a is not None and b else None for seed, (a, b) in pairs.items()}
