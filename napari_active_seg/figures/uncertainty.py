"""Figures of uncertainty: selected pixels against the rest, and whether it finds errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from napari_active_seg.calibration import ErrorsByUncertainty, SelectedAndRest
from napari_active_seg.figures.style import BLUE, GREY, ORANGE, blank, series_styles

__all__ = ["draw_errors_by_uncertainty", "draw_selected_and_rest", "draw_sparsification"]


def draw_selected_and_rest(bins: SelectedAndRest, *, measure: str) -> Figure:
    """Draw the uncertainty of pixels in selected regions and of all others (figure 4)."""
    figure, axes = blank()
    width = float(np.diff(bins.edges[:2])[0])
    for counts, label, colour, hatch in (
        (bins.rest, "rest of the pool", GREY, ""),
        (bins.selected, "selected", ORANGE, "//"),
    ):
        total = max(int(counts.sum()), 1)
        axes.bar(
            bins.edges[:-1],
            counts / total,
            width,
            align="edge",
            color=colour,
            alpha=0.6,
            hatch=hatch,
            edgecolor="white" if hatch else colour,
            linewidth=0.3,
            label=label,
        )
    for mean, colour in zip(bins.means, ("#b37400", "0.3"), strict=True):
        axes.axvline(mean, color=colour, linewidth=1.2, linestyle="--")
    axes.set(xlabel=measure, ylabel="share of pixels", yscale="log")
    axes.legend(fontsize="small", frameon=False)
    return figure


def draw_errors_by_uncertainty(errors: ErrorsByUncertainty, *, measure: str) -> Figure:
    """Return the error rate of each tenth of the pixels, the surest first."""
    figure, axes = blank()
    axes.bar(np.arange(1, 11), errors.rates_by_share(10), color=BLUE)
    axes.axhline(errors.error_rate, color="0.4", linestyle="--", linewidth=1)
    axes.annotate("all pixels", (0.02, errors.error_rate), xycoords=("axes fraction", "data"),
                  fontsize=7, va="bottom")  # fmt: skip
    axes.set(xlabel=f"tenth of the pixels by {measure}", ylabel="share wrong")
    axes.set_xticks(np.arange(1, 11))
    return figure


def draw_sparsification(by_measure: Mapping[str, ErrorsByUncertainty]) -> Figure:
    """Return the error rate of what is left as the most uncertain pixels are put aside."""
    figure, axes = blank()
    styles = series_styles(len(by_measure))
    for (name, errors), style in zip(by_measure.items(), styles, strict=True):
        aside, rates = errors.curve()
        line = {key: style[key] for key in ("color", "linestyle")}
        axes.plot(aside, rates, label=f"{name}, area {errors.area:.4f}", **line)  # type: ignore[arg-type]
    if by_measure:
        first = next(iter(by_measure.values()))
        e = first.error_rate
        ends = np.linspace(0, 0.999, 200)
        oracle = np.maximum(e - ends, 0) / (1 - ends)
        axes.plot(ends, oracle, color="0.4", linewidth=1, linestyle=(0, (1, 1)),
                  label=f"oracle, area {first.area_of_oracle:.4f}")  # fmt: skip
        axes.axhline(e, color="0.7", linewidth=0.8)
    axes.set(xlabel="share put aside", ylabel="share wrong of the rest", ylim=(0, None))
    axes.legend(fontsize="x-small", frameon=False)
    return figure
