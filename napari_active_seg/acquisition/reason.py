"""A reason for each proposal, in words and figures that a person can check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import Moments
from napari_active_seg.uncertainty.measures import bald, predictive_entropy

__all__ = ["reason_for_drawn", "reason_for_uncertain"]


def reason_for_uncertain(moments: Moments, region: Region, classes: Sequence[str]) -> str:
    """Return what the model wavers between in ``region``, and whether its passes disagree.

    The probabilities are means over the most uncertain tenth of the region's pixels: over
    the whole region they would mix what is clear with what is not.
    """
    rows, columns = region.slices
    part = Moments(
        moments.n,
        moments.mean_p[:, rows, columns],
        moments.mean_plogp[rows, columns],
        moments.var_p[:, rows, columns],
        moments.votes[:, rows, columns],
    )
    entropy = predictive_entropy(part)
    unsure = entropy >= np.quantile(entropy, 0.9)
    means = part.mean_p[:, unsure].mean(axis=1)
    first, second = np.argsort(means)[::-1][:2]
    text = (
        f"{classes[first]} {means[first]:.2f} against {classes[second]} {means[second]:.2f} "
        "where it is least sure"
    )
    if moments.n > 1 and entropy[unsure].sum() > 0:
        share = float(bald(part)[unsure].sum() / entropy[unsure].sum())
        cause = "samples disagree" if share >= 0.2 else "samples agree that it is unclear"
        text += f"; {cause} (BALD is {share:.0%} of the entropy)"
    return text


def reason_for_drawn(drawn_from: int, *, start: bool) -> str:
    """Return why a region that was drawn at random is in the queue."""
    why = "there is no model to ask yet" if start else "a fair sample for honest estimates"
    return f"drawn at random from {drawn_from:,} places over tissue: {why}"
