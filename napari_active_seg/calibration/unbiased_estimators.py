"""Importance-weighted estimates of a pool's score from chosen labels, or why there is none.

Units of a pool are drawn one after the other without putting back; the m-th, of M, was drawn with
probability q_m among those that were left of N. Farquhar et al. 2021 weigh its loss by

    v_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1)

and the mean of v_m L_m (R_LURE) is then, on average over draws, the mean loss of all N units. That
takes a probability above 0 for every unit at every draw, and labels of all that was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from napari_active_seg.errors import BadInputError, NothingToDoError

__all__ = [
    "DrawnUnits",
    "effective_size",
    "is_balanced",
    "lure_weights",
    "student_limits",
    "weighted_mean",
    "why_not_estimable",
]

#: Of the pool's free pixels the units have to cover so much for an estimate to speak of the pool.
LEAST_COVERED = 0.9
#: Fewer draws, or weights that come to fewer, carry no interval.
_LEAST_DRAWS = 3
#: Weights whose mean is further from 1 do not stand for the pool (benchmarks/estimates.py).
_MOST_OFF = 0.25


@dataclass(frozen=True, slots=True)
class DrawnUnits:
    """How the units of one round were drawn, in the order of the draws.

    ``n_impossible`` counts units that no draw could have taken; ``covered`` is the share of the
    pool's free pixels that lie in a unit. ``n_unanswered`` were drawn and carry no label.
    """

    chances: tuple[float | None, ...]
    drawn_from: tuple[int, ...]
    n_impossible: int = 0
    covered: float = 1.0
    n_unanswered: int = 0

    @property
    def n_units(self) -> int:
        """Number of units N of the pool."""
        return self.drawn_from[0] if self.drawn_from else 0


def why_not_estimable(drawn: DrawnUnits) -> str | None:
    """Return why no unbiased estimate is possible from these draws; None if one is."""
    if not drawn.chances:
        return "nothing was drawn"
    if any(chance is None for chance in drawn.chances):
        return (
            "the regions were chosen and not drawn, so that all others had probability 0; use a "
            "strategy that draws, such as power-regions, or use the control regions"
        )
    if drawn.n_impossible:
        return (
            f"{drawn.n_impossible:,} of {drawn.n_units:,} places had probability 0 of being drawn"
        )
    if drawn.covered < LEAST_COVERED:
        return (
            f"{100 * (1 - drawn.covered):.0f} % of the pool had probability 0 of being drawn: the "
            "places that were offered do not cover it (squares come nearest with a stride of their "
            "size)"
        )
    expected = tuple(drawn.n_units - m for m in range(len(drawn.drawn_from)))
    if drawn.drawn_from != expected:
        return (
            "what could be drawn shrank by more than what was drawn, by a limit or a budget: some "
            "places had probability 0 then"
        )
    if drawn.n_unanswered:
        some = f"{drawn.n_unanswered} of {len(drawn.chances)} drawn regions carry no label"
        return f"{some}; those that do may be the easier ones"
    return None


def lure_weights(drawn: DrawnUnits) -> NDArray[np.float64]:
    """Return v_m of each draw; NothingToDoError, with the reason, where no estimate is possible."""
    reason = why_not_estimable(drawn)
    if reason is not None:
        raise NothingToDoError(f"no unbiased estimate is possible: {reason}")
    n, total = drawn.n_units, len(drawn.chances)
    m = np.arange(1, total + 1)
    q = np.array(drawn.chances, np.float64)
    if ((q <= 0) | (q > 1 + 1e-9)).any():
        raise BadInputError(f"probabilities lie above 0 and at most at 1, got {q.min()}..{q.max()}")
    left = n - m
    share = np.where(left > 0, (n - total) / np.maximum(left, 1), 0.0)
    return np.asarray(1 + share * (1 / ((left + 1) * q) - 1))


def effective_size(weights: NDArray[np.float64]) -> float:
    """Return the number of equally weighted draws of the same variance: (sum v)^2 / sum v^2."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def is_balanced(weights: NDArray[np.float64]) -> bool:
    """Return whether the weights stand for the whole pool: their mean, 1 on average, is near it.

    Where probabilities are very uneven, units of little chance are mostly missing, and limits from
    those that were drawn are too narrow: their weights add up to less than the pool.
    """
    return abs(float(weights.mean()) - 1) <= _MOST_OFF


def weighted_mean(
    losses: Sequence[float], weights: NDArray[np.float64], *, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the estimate with its confidence interval, by Student's t over weighted losses.

    Without three draws the limits are NaN. A few draws of great weight make the limits wide, as
    they should be.
    """
    values = np.asarray(losses, np.float64) * weights
    if len(values) == 0:
        raise BadInputError("no loss to average")
    if len(values) < _LEAST_DRAWS:
        return float(values.mean()), math.nan, math.nan
    return student_limits(values, level=level)


def student_limits(values: NDArray[np.float64], *, level: float) -> tuple[float, float, float]:
    """Return the mean of two values at least, and Student's confidence interval of it."""
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    reach = error * float(stats.t.ppf((1 + level) / 2, len(values) - 1))
    return mean, mean - reach, mean + reach
