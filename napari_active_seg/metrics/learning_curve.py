"""Fit a learning curve of a score over labels, and forecast its further growth.

A curve a - b x^-c is laid through the points. Many such curves are weighed by how well they fit,
the noise of the points not being known (its likelihood is integrated out), and by what every
score obeys: it ends at 1 at most and does not fall as labels are added. What they predict for the
next minutes is the forecast, and its spread the band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["LEAST_POINTS", "CurveFit", "Forecast", "fit_curve"]

#: Three numbers are fitted, and their fit has to be judged by something.
LEAST_POINTS = 4
#: Scores of one network trained twice differ by about this much.
_LEAST_NOISE = 0.005
_RATES = np.geomspace(0.1, 2.0, 24)
_ENDS = np.linspace(0.0, 1.0, 401)
#: Curves of less weight, compared with the likeliest, change nothing.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected growth of a score: the median, and its interval at ``level``."""

    gain: float
    low: float
    high: float
    level: float = 0.8

    @property
    def summary(self) -> str:
        """The forecast in points, such as ``about +0.6 points, 80 % between 0.1 and 1.3``."""
        return (
            f"about {100 * self.gain:+.1f} points, {self.level:.0%} between "
            f"{100 * self.low:.1f} and {100 * self.high:.1f}".replace("%", " %")
        )


@dataclass(frozen=True, slots=True, eq=False)
class CurveFit:
    """Curves a - b (x / scale)^-c with their weights, the sum being 1."""

    ends: NDArray[np.float64]  # a
    drops: NDArray[np.float64]  # b
    rates: NDArray[np.float64]  # c
    weights: NDArray[np.float64]
    scale: float

    def quantiles(
        self, x: Sequence[float] | NDArray[np.float64], shares: Sequence[float]
    ) -> NDArray[np.float64]:
        """Return the quantiles (shares, x) of the score."""
        values = self._at(np.asarray(x, np.float64))
        return np.stack([_quantiles(column, self.weights, shares) for column in values.T], axis=1)

    def forecast(self, now: float, later: float, *, level: float = 0.8) -> Forecast:
        """Forecast the growth of the score from ``now`` to ``later``, both of x."""
        if not 0 < now <= later:
            raise BadInputError(f"now must be above 0 and not after later, got {now} and {later}")
        at = self._at(np.array([now, later]))
        low, gain, high = _quantiles(
            at[:, 1] - at[:, 0], self.weights, ((1 - level) / 2, 0.5, (1 + level) / 2)
        )
        return Forecast(float(gain), float(low), float(high), level)

    def _at(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        powers = (x[None] / self.scale) ** -self.rates[:, None]
        return self.ends[:, None] - self.drops[:, None] * powers


def fit_curve(x: Sequence[float], scores: Sequence[float]) -> CurveFit:
    """Fit curves to points at ``x`` above 0 with ``scores`` in 0..1.

    BadInputError of fewer than four points: a trend could not be distinguished from noise.
    """
    at, y = np.asarray(x, np.float64), np.asarray(scores, np.float64)
    if at.shape != y.shape or len(at) < LEAST_POINTS:
        raise BadInputError(
            f"a learning curve takes {LEAST_POINTS} points at least, got {len(at)}; "
            "label and train on"
        )
    if not (at > 0).all() or not np.isfinite(y).all():
        raise BadInputError("points of a learning curve lie above 0, with a score each")
    scale = float(np.median(at))
    parts = [_curves_of_rate(rate, at / scale, y) for rate in _RATES]
    ends, drops, log = (np.concatenate([part[k] for part in parts]) for k in range(3))
    rates = np.repeat(_RATES, [len(part[0]) for part in parts])
    weights = np.exp(log - log.max())
    likely = weights > _LEAST_WEIGHT
    return CurveFit(
        ends[likely], drops[likely], rates[likely], weights[likely] / weights[likely].sum(), scale
    )


def _curves_of_rate(
    rate: float, at: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Return ends, drops and log weights of curves with one rate.

    Given end and rate a curve is a line through the origin; drops are taken as far around the best
    one as the noise leaves open, each standing for its share of that width.
    """
    n, powers = len(y), at**-rate
    slack = _ENDS[:, None] - y  # what the drop has to explain
    best = (slack * powers).sum(axis=1) / (powers**2).sum()
    left = ((slack - best[:, None] * powers) ** 2).sum(axis=1)
    width = np.sqrt((left + n * _LEAST_NOISE**2) / n / (powers**2).sum())
    drops = best[:, None] + width[:, None] * np.linspace(-3, 3, 15)
    errors = ((slack[:, None] - drops[..., None] * powers) ** 2).sum(axis=-1)
    log = -n / 2 * np.log(errors + n * _LEAST_NOISE**2) + np.log(width)[:, None]
    log = np.where(drops >= 0, log, -np.inf)
    return np.repeat(_ENDS, drops.shape[1]), drops.ravel(), log.ravel()


def _quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], shares: Sequence[float]
) -> NDArray[np.float64]:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.interp(np.asarray(shares), reached, values[order])
