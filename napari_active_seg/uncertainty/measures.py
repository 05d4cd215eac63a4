"""Uncertainty measures as pure functions of the moments; each returns (H, W) float32.

Higher is less certain, always. None is negative or NaN, also where float32 rounding would
make it so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.uncertainty.moments import Moments

__all__ = [
    "MEASURES",
    "Measure",
    "bald",
    "least_confidence",
    "margin",
    "mean_standard_deviation",
    "measure_named",
    "predictive_entropy",
    "variation_ratio",
    "vote_variation_ratio",
]

Map = NDArray[np.float32]


def predictive_entropy(moments: Moments) -> Map:
    """Return H(mean p) in nats: all that is unclear about the pixel."""
    return _clean(_entropy(moments))


def bald(moments: Moments) -> Map:
    """Return H(mean p) - mean H(p) in nats: what the passes disagree on.

    The mutual information of prediction and weights; the factor 1/T that equation 4 of the
    calibration paper leaves out is there.
    """
    return _clean(_entropy(moments) + moments.mean_plogp)


def variation_ratio(moments: Moments) -> Map:
    """Return 1 - max_c mean p, the definition by mean probability."""
    return _clean(1.0 - moments.mean_p.max(axis=0).astype(np.float64))


def vote_variation_ratio(moments: Moments) -> Map:
    """Return 1 - f / T, f being the votes of the most frequent class; 0 for a single pass."""
    return _clean(1.0 - moments.votes.max(axis=0) / float(moments.n))


def mean_standard_deviation(moments: Moments) -> Map:
    """Return the standard deviation over the passes, averaged over the classes."""
    return _clean(np.sqrt(np.maximum(moments.var_p.astype(np.float64), 0.0)).mean(axis=0))


def margin(moments: Moments) -> Map:
    """Return 1 - (p1 - p2), p1 and p2 being the two highest mean probabilities."""
    top = np.partition(moments.mean_p.astype(np.float64), -2, axis=0)
    return _clean(1.0 - (top[-1] - top[-2]))


def least_confidence(moments: Moments) -> Map:
    """Return (1 - max p) C / (C - 1), the variation ratio scaled to 0..1."""
    c = moments.n_classes
    return _clean((1.0 - moments.mean_p.max(axis=0).astype(np.float64)) * c / (c - 1))


def _entropy(moments: Moments) -> NDArray[np.float64]:
    total: NDArray[np.float64] = entr(moments.mean_p.astype(np.float64)).sum(axis=0)
    return total


def _clean(values: NDArray[np.float64]) -> Map:
    return np.maximum(values, 0.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure by name, with what its numbers mean."""

    name: str
    title: str
    compute: Callable[[Moments], Map]
    unit: str
    source: str
    _bound: Callable[[int], float]

    def upper_bound(self, n_classes: int) -> float:
        """Return the highest value that the measure can take with ``n_classes`` classes."""
        return self._bound(n_classes)

    def normalised(self, moments: Moments) -> Map:
        """Return the map divided by its upper bound, so that 1 is the least certain."""
        return self.compute(moments) / np.float32(self.upper_bound(moments.n_classes))


def _one(_: int) -> float:
    return 1.0


def _no_winner(c: int) -> float:
    return 1.0 - 1.0 / c


#: Every measure by the name that the command line, the desktop and stored strategies use.
MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("entropy", "Predictive entropy", predictive_entropy, "nats", "Shannon", math.log),
        Measure("bald", "BALD", bald, "nats", "Houlsby et al. 2011, Gal et al. 2017", math.log),
        Measure(
            "variation-ratio",
            "Variation ratio (mean probability)",
            variation_ratio,
            "probability",
            "Gal et al. 2017",
            _no_winner,
        ),
        Measure(
            "vote-variation-ratio",
            "Variation ratio (votes)",
            vote_variation_ratio,
            "share of passes",
            "Freeman 1965, Beluch et al. 2018",
            _no_winner,
        ),
        Measure(
            "mean-std",
            "Mean standard deviation",
            mean_standard_deviation,
            "probability",
            "Kampffmeyer et al. 2016",
            lambda c: math.sqrt(c - 1) / c,
        ),
        Measure("margin", "Margin", margin, "probability", "Scheffer et al. 2001", _one),
        Measure(
            "least-confidence",
            "Least confidence",
            least_confidence,
            "0 to 1",
            "Lewis and Gale 1994",
            _one,
        ),
    )
}


def measure_named(name: str) -> Measure:
    """Return the measure called ``name``, or raise ConfigError with the known names."""
    if name not in MEASURES:
        raise ConfigError(f"no uncertainty measure {name!r}: {did_you_mean(name, MEASURES)}")
    return MEASURES[name]
