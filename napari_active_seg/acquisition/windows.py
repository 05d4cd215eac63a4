"""Search for the most valuable square windows of an image.

After Algorithm 2 of the calibration paper: a window slides over each uncertainty map, what is
labelled counts 0, the windows of all images are ranked together and the best are taken.

``overlap=False`` takes windows one after the other and strikes out what each overlaps;
``overlap=True`` is faithful to the paper, where windows of one round may overlap. Striking out
stays within an image, so each image can be searched alone and forgotten: what is best over
all images is found by merging what is best in each (``gathering``).

Ties are broken by a seeded draw, so that a flat map does not favour the upper left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.aggregation import Aggregate
from napari_active_seg.acquisition.cost import ClassMaps, CostModel, value_per_cost
from napari_active_seg.acquisition.pool_image import LEAST_TISSUE, PoolImage
from napari_active_seg.acquisition.window_sums import WindowAxis, window_axis, window_sums
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import Region

__all__ = [
    "TIE",
    "WindowGrid",
    "WindowPick",
    "find_best_windows",
    "find_free_windows",
    "score_windows",
]

#: Windows whose values differ by less than this share of the highest are ties: a summed-area
#: table over a flat map rounds in the 13th digit.
TIE = 1e-10


@dataclass(slots=True, eq=False)
class WindowGrid:
    """The windows of one image, with their values; -inf where one may not be taken.

    Where value and information are the same they are one array: information is read of a window
    that may be taken, and before it is struck out.
    """

    image_id: str
    rows: WindowAxis
    columns: WindowAxis
    information: NDArray[np.float64]
    value: NDArray[np.float64]

    def region(self, row: int, column: int) -> Region:
        """Return the window at a place of the grid."""
        y, x = int(self.rows.starts[row]), int(self.columns.starts[column])
        return Region(self.image_id, y, x, self.rows.extent, self.columns.extent)

    def strike_out(self, region: Region) -> tuple[int, int]:
        """Forbid every window that overlaps ``region``; return the rows of the grid it touched."""
        top, bottom = _touching(self.rows, region.y, region.bottom)
        left, right = _touching(self.columns, region.x, region.right)
        self.value[top:bottom, left:right] = -np.inf
        return top, bottom


def _touching(windows: WindowAxis, start: int, end: int) -> tuple[int, int]:
    """Return the range of windows that share a pixel with ``start`` to ``end``."""
    first = np.searchsorted(windows.starts, start - windows.extent, side="right")
    return int(first), int(np.searchsorted(windows.starts, end, side="left"))


@dataclass(frozen=True, slots=True)
class WindowPick:
    """A window that was taken, and how many had its value then."""

    region: Region
    information: float
    value: float
    tied: int


def find_free_windows(image: PoolImage, size: int, stride: int) -> WindowGrid:
    """Return the windows of an image that may be taken, of value 0."""
    rows, columns = (window_axis(length, size, stride) for length in image.shape)
    value = np.zeros((len(rows.starts), len(columns.starts)))
    grid = WindowGrid(image.image_id, rows, columns, value, value)
    _forbid(grid, image, overlap=False)
    return grid


def _forbid(grid: WindowGrid, image: PoolImage, *, overlap: bool) -> None:
    """Forbid windows without tissue, and those on what is taken.

    Where windows may ``overlap`` what is taken, only those that lie in it entirely.
    """
    if image.tissue is not None:
        grid.value[image.tissue_share(grid.rows, grid.columns) < LEAST_TISSUE] = -np.inf
    shaped = any(place.shape is not None for place in image.taken)
    if image.taken and (overlap or shaped):
        covered = image.taken_share(grid.rows, grid.columns)
        pixels = grid.rows.extent * grid.columns.extent
        grid.value[covered > ((pixels - 0.5) / pixels if overlap else 0.5 / pixels)] = -np.inf
    elif image.taken:
        for place in image.taken:
            grid.strike_out(place.region)


def score_windows(
    image: PoolImage,
    size: int,
    stride: int,
    *,
    aggregate: Aggregate,
    cost: CostModel | None = None,
    seen: ClassMaps | None = None,
    alpha: float = 1.0,
    beta: float = 0.0,
    overlap: bool = False,
) -> WindowGrid:
    """Return the windows of an image with I^alpha / C^beta; C is 1 without a cost."""
    rows, columns = (window_axis(length, size, stride) for length in image.shape)
    try:
        information = aggregate.of_windows(image.unlabelled_uncertainty(), rows, columns)
    except BadInputError as error:
        if "NaN" not in str(error):
            raise
        raise image.broken() from error
    seconds: float | NDArray[np.float64] = 1.0
    if cost is not None and beta > 0:
        seconds = cost.of_windows(
            seen or ClassMaps(lambda: image.classes),
            rows.extent * columns.extent,
            lambda values: window_sums(values, rows, columns),
        )
    value = value_per_cost(information, seconds, alpha=alpha, beta=beta)
    grid = WindowGrid(image.image_id, rows, columns, information, value)
    _forbid(grid, image, overlap=overlap)
    return grid


def find_best_windows(
    grid: WindowGrid,
    rng: np.random.Generator,
    *,
    overlap: bool = False,
    least_value: Callable[[], float] = lambda: -np.inf,
) -> Iterator[WindowPick]:
    """Yield the best window, the best of those that it leaves, and so on.

    It ends where the next is worth less than ``least_value`` returns then.
    """
    best = grid.value.max(axis=1, initial=-np.inf)
    while True:
        highest = float(best.max(initial=-np.inf))
        if highest == -np.inf or highest < least_value():
            return
        least = highest - TIE * abs(highest)
        rows = np.flatnonzero(best >= least)
        tied_rows, tied_columns = np.nonzero(grid.value[rows] >= least)
        draw = int(rng.integers(len(tied_rows))) if len(tied_rows) > 1 else 0
        row, column = int(rows[tied_rows[draw]]), int(tied_columns[draw])
        region = grid.region(row, column)
        information = max(float(grid.information[row, column]), 0.0)
        yield WindowPick(region, information, max(highest, 0.0), len(tied_rows))
        top, bottom = row, row + 1
        if overlap:
            grid.value[row, column] = -np.inf
        else:
            top, bottom = grid.strike_out(region)
        best[top:bottom] = grid.value[top:bottom].max(axis=1, initial=-np.inf)
