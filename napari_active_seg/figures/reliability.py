"""The reliability diagram: what was said against what came true."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from napari_active_seg.calibration import ReliabilityBins

__all__ = ["draw_reliability"]


def draw_reliability(bins: ReliabilityBins, *, title: str = "") -> Figure:
    """Return a figure of accuracy against confidence, with the share of pixels below it.

    Bars below the diagonal are overconfident; a bin without pixels has no bar.
    """
    figure = Figure(figsize=(4.2, 4.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    middles = (bins.edges[:-1] + bins.edges[1:]) / 2
    width = 0.9 / bins.n_bins
    upper.bar(middles, np.nan_to_num(bins.accuracy), width, color="#0072b2", label="accuracy")
    gaps = np.nan_to_num(bins.mean_confidence - bins.accuracy)
    upper.bar(
        middles,
        gaps,
        width,
        bottom=np.nan_to_num(bins.accuracy),
        color="#e69f00",
        alpha=0.55,
        hatch="//",
        edgecolor="#b37400",
        label="gap to confidence",
    )
    upper.plot((0, 1), (0, 1), color="0.4", linestyle="--", linewidth=1)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.set_title(title or f"ECE {bins.expected_calibration_error:.3f}")
    upper.legend(loc="upper left", fontsize="small", frameon=False)
    lower.bar(middles, bins.counts / max(int(bins.counts.sum()), 1), width, color="0.6")
    lower.set(xlabel="confidence", ylabel="share of pixels")
    return figure
