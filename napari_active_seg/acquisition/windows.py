"""Search for the most valuable square windows of an image.

After Algorithm 2 of the calibration paper: a window slides over each uncertainty map, what is
labelled counts 0, the windows of all images are ranked together and the best are taken.

``overlap=False`` takes windows one after the other and strikes out what each overlaps;
``overlap=True`` is faithful to the paper, where windows of one round may overlap. Striking out
stays within an image, so each image can be searched by itself and forgotten: what is best over
all images is found by merging what is best in each (``gathering``).

Ties are broken by a seeded draw, so that a flat map does not favour the upper left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.aggregation import Aggregate
from napari_active_seg.acquisition.cost import ClassMaps, CostModel, value_per_cost
from napari_active_seg.acquisition.pool_image import LEAST_TISSUE, PoolImage
from napari_active_seg.acquisition.window_sums import window_starts, window_sums
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import Region

__all__ = ["TIE", "WindowGrid", "WindowPick", "best_windows", "free_windows", "valued_windows"]

#: Windows whose values differ by less than this share of the highest are ties: a summed-area
#: table over a flat map rounds in the 13th digit.
TIE = 1e-10


@dataclass(slots=True, eq=False)
class WindowGrid:
    """The windows of one image, with their values; -inf where one may not be taken."""

    image_id: str
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    height: int
    width: int
    information: NDArray[np.float64]
    value: NDArray[np.float64]

    def region(self, row: int, column: int) -> Region:
        """Return the window at a place of the grid."""
        y, x = int(self.rows[row]), int(self.columns[column])
        return Region(self.image_id, y, x, self.height, self.width)

    def strike_out(self, region: Region) -> tuple[int, int]:
        """Forbid every window that overlaps ``region``; return the rows of the grid it touched."""
        top = int(np.searchsorted(self.rows, region.y - self.height, side="right"))
        bottom = int(np.searchsorted(self.rows, region.bottom, side="left"))
        left = np.searchsorted(self.columns, region.x - self.width, side="right")
        right = np.searchsorted(self.columns, region.right, side="left")
        self.value[top:bottom, left:right] = -np.inf
        return top, bottom


@dataclass(frozen=True, slots=True)
class WindowPick:
    """A window that was taken, and how many had its value then."""

    region: Region
    information: float
    value: float
    tied: int


def free_windows(
    image: PoolImage, size: int, stride: int, *, keep_taken: bool = False
) -> WindowGrid:
    """Return the windows of an image that may be taken, of value 0.

    With ``keep_taken`` those that lie in what is taken entirely are forbidden, and no others.
    """
    height, width = min(size, image.shape[0]), min(size, image.shape[1])
    rows = window_starts(image.shape[0], size, stride)
    columns = window_starts(image.shape[1], size, stride)
    value = np.zeros((len(rows), len(columns)))
    grid = WindowGrid(image.image_id, rows, columns, height, width, value, value)
    if image.tissue is not None:
        value[image.tissue_share(rows, columns, height, width) < LEAST_TISSUE] = -np.inf
    shaped = any(place.shape is not None for place in image.taken)
    if image.taken and (keep_taken or shaped):
        covered = window_sums(image.taken_mask, rows, columns, height, width)
        value[covered >= (height * width if keep_taken else 1)] = -np.inf
    elif image.taken:
        for place in image.taken:
            grid.strike_out(place.region)
    return grid


def valued_windows(
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
    grid = free_windows(image, size, stride, keep_taken=overlap)
    extent = (grid.height, grid.width)
    values = image.unlabelled_uncertainty()
    try:
        grid.information = aggregate.of_windows(values, grid.rows, grid.columns, extent)
    except BadInputError as error:
        raise BadInputError(
            f"image {image.image_id!r}: the uncertainty map holds NaN or infinity; predict again"
        ) from error
    seconds: float | NDArray[np.float64] = 1.0
    if cost is not None and beta > 0:
        seconds = cost.of_windows(
            seen or ClassMaps(image.classes),
            grid.height * grid.width,
            lambda values: window_sums(values, grid.rows, grid.columns, *extent),
        )
    grid.value += value_per_cost(grid.information, seconds, alpha=alpha, beta=beta)
    return grid


def best_windows(
    grid: WindowGrid, rng: np.random.Generator, *, overlap: bool = False
) -> Iterator[WindowPick]:
    """Yield the best window, the best of those that it leaves, and so on."""
    best = grid.value.max(axis=1, initial=-np.inf)
    while True:
        highest = float(best.max(initial=-np.inf))
        if highest == -np.inf:
            return
        least = highest - TIE * abs(highest)
        rows = np.flatnonzero(best >= least)
        tied_rows, tied_columns = np.nonzero(grid.value[rows] >= least)
        draw = int(rng.integers(len(tied_rows))) if len(tied_rows) > 1 else 0
        row, column = int(rows[tied_rows[draw]]), int(tied_columns[draw])
        region = grid.region(row, column)
        yield WindowPick(region, float(grid.information[row, column]), highest, len(tied_rows))
        top, bottom = row, row + 1
        if overlap:
            grid.value[row, column] = -np.inf
        else:
            top, bottom = grid.strike_out(region)
        best[top:bottom] = grid.value[top:bottom].max(axis=1, initial=-np.inf)
