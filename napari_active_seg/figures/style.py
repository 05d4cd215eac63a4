"""Colours, marks and lines that stay apart in print and for colour-blind eyes."""

from __future__ import annotations

from itertools import cycle, islice

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["BLUE", "GREY", "ORANGE", "RED", "blank", "series_styles"]

#: From the palette of Okabe and Ito.
BLUE, RED, ORANGE, GREY = "#0072b2", "#d55e00", "#e69f00", "0.55"
_COLOURS = (BLUE, RED, "#009e73", "#cc79a7", ORANGE, "#56b4e9", "0.2")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LINES = ("-", "--", "-.", ":")


def series_styles(count: int) -> list[dict[str, object]]:
    """Return plot arguments of ``count`` curves: each differs in colour, mark and line."""
    ways = zip(cycle(_COLOURS), cycle(_MARKERS), cycle(_LINES), strict=False)
    return [
        {"color": colour, "marker": marker, "linestyle": line, "markersize": 4}
        for colour, marker, line in islice(ways, count)
    ]


def blank(width: float = 4.2, height: float = 2.6) -> tuple[Figure, Axes]:
    """Return an empty figure with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
