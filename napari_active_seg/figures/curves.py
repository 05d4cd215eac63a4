"""Curves: of a training, of models that followed one another, of strategies over budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from napari_active_seg.figures.style import BLUE, ORANGE, RED, blank, series_styles
from napari_active_seg.metrics import CurveFit

__all__ = [
    "Curve",
    "draw_curves",
    "draw_grouped_panels",
    "draw_groups",
    "draw_learning_curve",
    "draw_losses",
    "draw_model_history",
    "draw_panels",
]

#: Most curves whose names fit among them.
_FEW = 5
#: Most panels in a row.
_COLUMNS = 3
#: Longest names that fit into one row below a small figure.
_SHORT = 20


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Points of one strategy or model: their means, and how far a band reaches either way.

    ``low`` and ``high`` are the band's limits: a standard deviation over runs, or an interval over
    images.
    """

    label: str
    x: Sequence[float] | NDArray[np.float64]
    y: Sequence[float] | NDArray[np.float64]
    low: Sequence[float] | NDArray[np.float64] | None = None
    high: Sequence[float] | NDArray[np.float64] | None = None

    @staticmethod
    def over_runs(label: str, runs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Curve:
        """Return the mean of several runs with the same points, a standard deviation either way."""
        x = np.mean([run[0] for run in runs], axis=0)
        y = np.array([run[1] for run in runs], np.float64)
        mean = y.mean(axis=0)
        if len(runs) < 2:
            return Curve(label, x, mean)
        spread = y.std(axis=0, ddof=1)
        return Curve(label, x, mean, mean - spread, mean + spread)


def draw_curves(
    curves: Sequence[Curve],
    *,
    x_title: str,
    y_title: str,
    lines: Mapping[str, float] | None = None,
    footnote: str = "",
) -> Figure:
    """Return a figure of curves with their bands; ``lines`` are levels to compare with, by name.

    A ``footnote`` is written into the figure, so that it goes wherever the figure goes.
    """
    figure, axes = blank(4.6 if len(curves) <= _FEW else 6.2, 3.0)
    _draw_with_bands(axes, curves)
    _draw_levels(axes, lines or {})
    axes.set(xlabel=x_title, ylabel=y_title)
    if curves:
        _add_legend(figure, axes, len(curves), size="small")
    if footnote:
        axes.set_title(footnote, fontsize="small", color="0.3", loc="right")
    return figure


def draw_groups(
    groups: Sequence[Sequence[Curve]],
    *,
    x_title: str,
    y_title: str,
    lines: Mapping[str, float] | None = None,
    titles: Sequence[str] = (),
) -> Figure:
    """Return small figures of one scale, one for each group; all other curves lie grey behind.

    ``titles`` are those of the groups. A single group is drawn as ``draw_curves`` does.
    """
    if len(groups) == 1:
        return draw_curves(groups[0], x_title=x_title, y_title=y_title, lines=lines)
    columns = 2 if len(groups) == 4 else min(len(groups), _COLUMNS)
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    for number, (group, axes) in enumerate(zip(groups, grid, strict=False)):
        for other in groups:
            for curve in other if other is not group else ():
                axes.plot(curve.x, curve.y, color="0.85", linewidth=0.8, zorder=0)
        _draw_with_bands(axes, group)
        _draw_levels(axes, lines or {})
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelbottom=True)
        axes.set(xlabel=x_title)
        axes.set_title(titles[number] if titles else "", fontsize="medium")
        _name_below(axes)
    for axes in grid:
        axes.set_axis_off()
    for axes in figure.axes[::columns]:
        axes.set(ylabel=y_title)
    return figure


def _name_below(axes: Axes) -> None:
    """Name the curves below the axes, in one row where the names are short."""
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        names,
        fontsize="x-small",
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncol=2 if max(map(len, names)) <= _SHORT else 1,
    )


def draw_panels(panels: Mapping[str, Sequence[Curve]], *, x_title: str) -> Figure:
    """Draw small panels in a row, one for each score by its title."""
    most = max(map(len, panels.values()), default=0)
    width = 2.7 * len(panels) + (0 if most <= _FEW else 1.4)
    figure = Figure(figsize=(width, 2.6), layout="constrained")
    rows = np.atleast_1d(figure.subplots(1, len(panels)))
    for axes, (title, curves) in zip(rows, panels.items(), strict=True):
        _draw_with_bands(axes, curves)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, fontsize="medium")
        axes.set(xlabel=x_title, ylim=(0, None))
    if most > 1:
        _add_legend(figure, rows[0], most, size="x-small")
    return figure


def draw_grouped_panels(panels: Mapping[str, Sequence[Sequence[Curve]]], *, x_title: str) -> Figure:
    """Return a column of small figures for each score by its title, a row for each group.

    Figures of a column have one scale, and all scores have the same curves, empty ones where one is
    not known. A single group is drawn as ``draw_panels`` does.
    """
    n_rows = max(map(len, panels.values()))
    if n_rows == 1:
        return draw_panels({title: rows[0] for title, rows in panels.items()}, x_title=x_title)
    size = (2.7 * len(panels) + 1.4, 2.3 * n_rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(n_rows, len(panels), sharex=True, sharey="col", squeeze=False)
    for column, (title, groups) in zip(grid.T, panels.items(), strict=True):
        column[0].set_title(title, fontsize="medium")
        for axes, group in zip(column, groups, strict=True):
            _draw_with_bands(axes, group)
            axes.spines[["top", "right"]].set_visible(False)
        column[-1].set(xlabel=x_title, ylim=(0, None))  # for the whole column, all being drawn
    for axes in grid[:, -1]:
        legend_place = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)}
        axes.legend(fontsize="x-small", frameon=False, **legend_place)
    return figure


def _draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    for name, level in levels.items():
        axes.axhline(level, color="0.4", linestyle=":", linewidth=1)
        axes.annotate(
            name, (0.01, level), xycoords=("axes fraction", "data"), fontsize=7, va="bottom"
        )


def _add_legend(figure: Figure, axes: Axes, n_curves: int, *, size: str) -> None:
    """Name the curves, next to the axes where names among them would hide some."""
    if n_curves <= _FEW:
        axes.legend(fontsize=size, frameon=False)
        return
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, fontsize=size, frameon=False, loc="outside right center")


def _draw_with_bands(axes: Axes, curves: Sequence[Curve]) -> None:
    for curve, style in zip(curves, series_styles(len(curves)), strict=True):
        axes.plot(curve.x, curve.y, label=curve.label, linewidth=1.3, **style)  # type: ignore[arg-type]
        if curve.low is not None and curve.high is not None:
            axes.fill_between(
                np.asarray(curve.x),
                np.asarray(curve.low),
                np.asarray(curve.high),
                color=str(style["color"]),
                alpha=0.15,
                linewidth=0,
            )


def draw_learning_curve(
    x: Sequence[float],
    scores: Sequence[float],
    *,
    unit: str,
    fit: CurveFit | None = None,
    step: float = 0.0,
) -> Figure:
    """Return the scores of models over what was spent, with what comes next and its 80 % band."""
    figure, axes = blank()
    axes.plot(x, scores, "o", color=BLUE, markersize=4, label="models")
    if fit is not None and len(x):
        ahead = np.linspace(x[0], x[-1] + step, 80)
        low, middle, high = fit.quantiles(ahead, (0.1, 0.5, 0.9))
        axes.plot(ahead, middle, color=RED, linewidth=1.2, label="fitted")
        axes.fill_between(ahead, low, high, color=ORANGE, alpha=0.3, linewidth=0, label="80 %")
        axes.axvline(x[-1], color="0.6", linewidth=0.8, linestyle=":")
    if unit == "pixels":
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set(xlabel=f"{unit} labelled" if unit == "pixels" else f"{unit} of labelling")
    axes.set_ylabel("mean Dice")
    axes.legend(fontsize="small", frameon=False, loc="lower right")
    return figure


def draw_losses(losses: Sequence[float], held_out: Sequence[tuple[int, float]] = ()) -> Figure:
    """Return a figure of the loss at every step with its running mean.

    ``held_out`` are steps with the loss on labels that were not learned from.
    """
    figure, axes = blank(4.2, 2.4)
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color="0.75", linewidth=0.8)
    window = max(1, len(losses) // 20)
    if len(losses) >= 2 * window:
        smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
        axes.plot(steps[window - 1 :], smooth, color=BLUE)
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "o-", color=RED, ms=3, label="held out")
        axes.legend(fontsize="small", frameon=False)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    return figure


def draw_model_history(models: Sequence[tuple[str, Mapping[str, float]]]) -> Figure:
    """Return a figure of Dice and calibration error of each model on the fixed validation."""
    figure, axes = blank(4.2, 2.4)
    names = [name for name, _ in models]
    for key, label, colour, marker in (
        ("mean_dice", "mean Dice", BLUE, "o"),
        ("ece", "ECE", RED, "s"),
    ):
        values = [metrics.get(key, np.nan) for _, metrics in models]
        axes.plot(names, values, color=colour, marker=marker, label=label)
    axes.set(ylim=(0, 1), xlabel="model")
    axes.legend(fontsize="small", frameon=False)
    return figure
