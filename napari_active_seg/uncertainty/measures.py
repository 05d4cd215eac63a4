"""Uncertainty measures as pure functions of the moments; each returns (H, W) float32.

Higher is less certain, always. None is negative or NaN, also where float32 rounding would
make it so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, xlogy

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.uncertainty.moments import Moments

__all__ = [
    "bald",
    "discriminator_doubt",
    "equal_al",
    "expected_entropy",
    "flip_disagreement",
    "learned_loss",
    "least_confidence",
    "margin",
    "mean_standard_deviation",
    "predictive_entropy",
    "random_draw",
    "variation_ratio",
    "vote_variation_ratio",
]

Map = NDArray[np.float32]


def predictive_entropy(moments: Moments) -> Map:
    """Return H(mean p) in nats: the total uncertainty of the pixel."""
    return _clean(_entropy(moments.mean_p))


def expected_entropy(moments: Moments) -> Map:
    """Return mean H(p) in nats: the uncertainty of each MC sample or ensemble member alone.

    The average entropy of an ensemble; with BALD it adds up to the predictive entropy.
    """
    return _clean(-moments.mean_plogp.astype(np.float64))


def bald(moments: Moments) -> Map:
    """Return H(mean p) - mean H(p) in nats: the disagreement of the samples.

    It is exactly 0 for one pass, which has nobody to disagree with.

    The mutual information of prediction and weights; the factor 1/T that equation 4 of the
    calibration paper leaves out is there.
    """
    if moments.n == 1:
        return np.zeros(moments.shape, np.float32)
    return _clean(_entropy(moments.mean_p) + moments.mean_plogp)


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


def equal_al(moments: Moments) -> Map:
    """Return H(p) + H(p mirrored) in nats, as equation 5 of the integrative paper prints it.

    It adds two entropies and measures no consistency; for that see ``flip_disagreement``.
    """
    return _clean(_entropy(moments.mean_p) + _entropy(_extra(moments, "mirrored")))


def flip_disagreement(moments: Moments) -> Map:
    """Return the Jensen-Shannon divergence in nats of the prediction and its mirrored twin."""
    one = moments.mean_p.astype(np.float64)
    other = _extra(moments, "mirrored").astype(np.float64)
    between = (one + other) / 2
    return _clean(
        entr(between).sum(axis=0) + (xlogy(one, one) + xlogy(other, other)).sum(axis=0) / 2
    )


def learned_loss(moments: Moments) -> Map:
    """Return the loss that the network's loss predictor expects at each pixel, on any scale.

    The module learns to rank losses, not to predict their values.
    """
    return _clean(_extra(moments, "learned-loss").astype(np.float64))


def discriminator_doubt(moments: Moments) -> Map:
    """Return 1 - D, D being a trained discriminator's score for a real-looking prediction."""
    return _clean(1.0 - _extra(moments, "discriminator").astype(np.float64))


def random_draw(moments: Moments) -> Map:
    """Return seeded random numbers between 0 and 1: the baseline of all measures."""
    return _clean(_extra(moments, "random").astype(np.float64))


def _extra(moments: Moments, name: str) -> Map:
    if name not in moments.extras:
        raise NothingToDoError(
            f"this prediction holds no {name!r}, which the measure needs; predict again with it"
        )
    return moments.extras[name]


def _entropy(probs: Map) -> NDArray[np.float64]:
    total: NDArray[np.float64] = entr(probs.astype(np.float64)).sum(axis=0)
    return total


def _clean(values: NDArray[np.float64]) -> Map:
    return np.maximum(values, 0.0).astype(np.float32)
