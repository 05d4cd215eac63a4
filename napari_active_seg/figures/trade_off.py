"""What is gained against what is paid, a mark a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from napari_active_seg.figures.style import series_styles

__all__ = ["Mark", "draw_trade_off"]


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What a strategy paid, and what it had of it, run by run."""

    label: str
    paid: Sequence[float]
    gained: Sequence[float]


def draw_trade_off(
    panels: Mapping[str, Sequence[Mark]], *, paid_title: str, gained_title: str
) -> Figure:
    """Draw panels in a row: means over runs, a standard deviation either way."""
    figure = Figure(figsize=(3.1 * len(panels), 3.0), layout="constrained")
    rows = np.atleast_1d(figure.subplots(1, len(panels)))
    for axes, (title, marks) in zip(rows, panels.items(), strict=True):
        for mark, style in zip(marks, series_styles(len(marks)), strict=True):
            across, up = (_deviation(values) for values in (mark.paid, mark.gained))
            axes.errorbar(
                float(np.mean(mark.paid)),
                float(np.mean(mark.gained)),
                xerr=across,
                yerr=up,
                label=mark.label,
                capsize=2,
                linewidth=1,
                **(style | {"linestyle": "none", "markersize": 6}),
            )
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, fontsize="medium")
        axes.set(xlabel=paid_title)
    rows[0].set_ylabel(gained_title)
    rows[-1].legend(fontsize="x-small", frameon=False)
    return figure


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
