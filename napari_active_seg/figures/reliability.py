"""Reliability diagrams: accuracy against confidence."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_active_seg.calibration import ReliabilityBins
from napari_active_seg.figures.style import BLUE, RED
from napari_active_seg.metrics import resample_sums

__all__ = ["draw_reliability"]


def draw_reliability(
    bins: ReliabilityBins,
    *,
    by_image: ReliabilityBins | None = None,
    calibrated: ReliabilityBins | None = None,
    title: str = "",
) -> Figure:
    """Return a figure of accuracy against confidence, with the confidences below it.

    Bars below the diagonal are overconfident; a bin without pixels has no bar. ``by_image``
    (images, K) draws a band that holds 95 % of accuracies over resampled images. ``calibrated`` is
    drawn as a line in addition.
    """
    figure = Figure(figsize=(4.2, 4.9), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    widths = np.diff(bins.edges)
    middles = (bins.edges[:-1] + bins.edges[1:]) / 2
    _draw_bars(upper, bins, middles, 0.9 * widths)
    if by_image is not None and len(by_image.counts) > 2:
        low, high = _band(by_image)
        known = ~np.isnan(low)
        reach = np.abs(np.stack([low, high]) - np.nan_to_num(bins.accuracy))[:, known]
        upper.errorbar(
            middles[known],
            bins.accuracy[known],
            yerr=reach,
            fmt="none",
            ecolor="0.15",
            capsize=2,
            linewidth=1,
            label="95 % over images",
        )
    upper.plot((0, 1), (0, 1), color="0.4", linestyle="--", linewidth=1)
    if calibrated is not None:
        seen = calibrated.counts > 0
        upper.plot(
            calibrated.mean_confidence[seen],
            calibrated.accuracy[seen],
            color=RED,
            marker="s",
            markersize=3,
            linewidth=1.2,
            label=f"calibrated: ECE {calibrated.expected_calibration_error:.3f}",
        )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.set_title(title or f"ECE {bins.expected_calibration_error:.3f}")
    upper.legend(loc="upper left", fontsize="small", frameon=False)
    _draw_counts(lower, bins, middles, 0.9 * widths)
    return figure


def _draw_bars(
    axes: Axes, bins: ReliabilityBins, middles: NDArray[np.float64], widths: NDArray[np.float64]
) -> None:
    axes.bar(middles, np.nan_to_num(bins.accuracy), widths, color=BLUE, label="accuracy")
    gaps = np.nan_to_num(bins.mean_confidence - bins.accuracy)
    axes.bar(
        middles,
        gaps,
        widths,
        bottom=np.nan_to_num(bins.accuracy),
        color="#e69f00",
        alpha=0.55,
        hatch="//",
        edgecolor="#b37400",
        label="gap to confidence",
    )


def _draw_counts(
    axes: Axes, bins: ReliabilityBins, middles: NDArray[np.float64], widths: NDArray[np.float64]
) -> None:
    """Draw how many pixels each bin holds, with the number above where it fits."""
    total = max(int(bins.counts.sum()), 1)
    shares = bins.counts / total
    axes.bar(middles, shares, widths, color="0.6")
    for middle, share, count in zip(middles, shares, bins.counts.tolist(), strict=True):
        if count:
            axes.annotate(
                _short(count), (middle, share), ha="center", va="bottom", fontsize=5, rotation=90
            )
    axes.set(xlabel="confidence", ylabel="share of pixels", ylim=(0, 1.45 * shares.max() or 1))


def _band(by_image: ReliabilityBins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the interval of each bin's accuracy over resampled images; NaN where empty."""
    pairs = np.stack([by_image.hits, by_image.counts], axis=-1)
    hits, counts = np.moveaxis(resample_sums(pairs), -1, 0)
    accuracy = np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)
    seen = by_image.counts.sum(axis=0) > 0
    low, high = np.full(seen.shape, np.nan), np.full(seen.shape, np.nan)
    low[seen], high[seen] = np.nanquantile(accuracy[:, seen], (0.025, 0.975), axis=0)
    return low, high


def _short(count: int) -> str:
    """Return a count as few letters: 950, 12k, 3.4M."""
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count / 1000:.0f}k"
    return f"{count / 1_000_000:.1f}M"
