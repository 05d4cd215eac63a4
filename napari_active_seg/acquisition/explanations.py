"""A reason for each proposal, in words and figures that a person can check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from napari_active_seg.regions import MaskedRegion
from napari_active_seg.uncertainty import Moments

__all__ = [
    "CHOSEN_BY_HAND",
    "reason_for_cost",
    "reason_for_covering",
    "reason_for_drawn",
    "reason_for_likeness",
    "reason_for_uncertain",
]

#: Why a region is in the queue that a person placed.
CHOSEN_BY_HAND = "chosen by hand"


def reason_for_uncertain(moments: Moments, place: MaskedRegion, classes: Sequence[str]) -> str:
    """Describe the competing classes in ``place``, and whether the samples disagree.

    The probabilities are means over the most uncertain tenth of its pixels: over all of them
    they would mix what is clear with what is not.
    """
    rows, columns = place.region.slices
    inside = place.mask
    probs = moments.mean_p[:, rows, columns][:, inside].astype(np.float64)
    entropy = entr(probs).sum(axis=0)
    unsure = entropy >= np.quantile(entropy, 0.9)
    means = probs[:, unsure].mean(axis=1)
    first, second = np.argsort(means)[::-1][:2]
    text = (
        f"{classes[first]} {means[first]:.2f} against {classes[second]} {means[second]:.2f} "
        "where it is least sure"
    )
    if moments.n > 1 and entropy[unsure].sum() > 0:
        own = moments.mean_plogp[rows, columns][inside].astype(np.float64)
        bald = np.maximum(entropy + own, 0.0)
        share = float(bald[unsure].sum() / entropy[unsure].sum())
        cause = "samples disagree" if share >= 0.2 else "samples agree that it is unclear"
        text += f"; {cause} (BALD is {share:.0%} of the entropy)"
    return text


def reason_for_drawn(drawn_from: int, *, why: str) -> str:
    """Return why a region that was drawn at random is in the queue."""
    return f"drawn at random from {drawn_from:,} places over tissue: {why}"


def reason_for_covering(share: float, *, why: str) -> str:
    """Return why a region that stands for a part of the pool is in the queue."""
    return f"stands for {share:.0%} of the pool by its colours and textures: {why}"


def reason_for_likeness(embedding: NDArray[np.floating], labelled: NDArray[np.floating]) -> str:
    """Return how unlike anything labelled (L, D) a place is; nothing where too little is labelled.

    Distances are relative to the nearest-neighbour distances of labelled regions.
    """
    if len(labelled) < 3:
        return ""
    scale = labelled.std(axis=0) + 1e-9
    known = labelled / scale
    distances = np.linalg.norm(known[:, None] - known[None, :], axis=2)
    np.fill_diagonal(distances, np.inf)
    usual = float(np.median(distances.min(axis=1)))
    nearest = float(np.linalg.norm(known - embedding / scale, axis=1).min())
    if usual <= 0:
        return ""
    times = nearest / usual
    if times >= 1.5:
        return f"unlike anything labelled ({times:.1f} times as far as labelled ones lie apart)"
    return f"like what is labelled ({times:.1f} times as far as labelled ones lie apart)"


def reason_for_cost(seconds: float, *, guess: bool, error: float | None = None) -> str:
    """Describe the expected cost of a region, and its mean error."""
    text = f"about {seconds:.0f} s{', a guess' if guess else ''}"
    return text if error is None else f"{text}, give or take {error:.0f} s"
