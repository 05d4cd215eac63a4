"""Curves of a training and of the models that followed one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

__all__ = ["draw_losses", "draw_model_history"]


def draw_losses(losses: Sequence[float], held_out: Sequence[tuple[int, float]] = ()) -> Figure:
    """Return a figure of the loss at every step with its running mean.

    ``held_out`` are steps with the loss on labels that were not learned from.
    """
    figure = Figure(figsize=(4.2, 2.4), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color="0.75", linewidth=0.8)
    window = max(1, len(losses) // 20)
    if len(losses) >= 2 * window:
        smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
        axes.plot(steps[window - 1 :], smooth, color="#0072b2")
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "o-", color="#d55e00", ms=3, label="held out")
        axes.legend(fontsize="small", frameon=False)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    return figure


def draw_model_history(models: Sequence[tuple[str, Mapping[str, float]]]) -> Figure:
    """Return a figure of Dice and calibration error of each model on the fixed validation."""
    figure = Figure(figsize=(4.2, 2.4), layout="constrained")
    axes = figure.subplots()
    names = [name for name, _ in models]
    for key, label, colour, marker in (
        ("mean_dice", "mean Dice", "#0072b2", "o"),
        ("ece", "ECE", "#d55e00", "s"),
    ):
        values = [metrics.get(key, np.nan) for _, metrics in models]
        axes.plot(names, values, color=colour, marker=marker, label=label)
    axes.set(ylim=(0, 1), xlabel="model")
    axes.legend(fontsize="small", frameon=False)
    return figure
