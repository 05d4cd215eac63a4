"""Search for the most valuable square windows over the maps of all images.

After Algorithm 2 of the calibration paper: a window slides over each uncertainty map, what
is labelled counts 0, the windows of all images are ranked together and the best are taken.
Each window sum costs four reads of a float64 summed-area table, whatever its size.

``overlap=False`` takes windows one after the other and strikes out what each overlaps;
``overlap=True`` is faithful to the paper, where windows of one round may overlap.
Ties are broken by a seeded draw, so that a flat map does not favour the upper left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.cost import value_per_cost
from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.regions import Region

__all__ = ["PoolImage", "WindowPick", "draw_windows", "most_valuable_windows", "window_starts"]

#: Windows whose values differ by less than this share of the highest are ties: a summed-area
#: table over a flat map rounds in the 13th digit.
_TIE = 1e-10
#: A window needs this share of tissue to be worth a look.
_LEAST_TISSUE = 0.25
#: A draw considers so many places of one image at most: on a slide not every pixel begins one.
_PLACES_TO_DRAW_FROM = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class PoolImage:
    """An image that regions may be taken from.

    ``tissue`` (h, w) covers the whole image at any resolution: slides have a coarse one.
    """

    image_id: str
    shape: tuple[int, int]
    taken: tuple[Region, ...] = ()
    uncertainty: NDArray[np.float32] | None = None
    tissue: NDArray[np.bool_] | None = None
    cost_of_window: float = field(default=1.0)


@dataclass(frozen=True, slots=True)
class WindowPick:
    """A window that was taken: its mean uncertainty, and the set a draw took it from."""

    region: Region
    information: float
    drawn_from: int


def window_starts(length: int, window: int, stride: int) -> NDArray[np.intp]:
    """Return the first pixels of windows along one axis, the last flush with the border."""
    if window < 1 or stride < 1:
        raise ConfigError(f"window and stride must be 1 or more, got {window} and {stride}")
    if window >= length:
        return np.zeros(1, np.intp)
    starts = np.arange(0, length - window + 1, stride, dtype=np.intp)
    return starts if starts[-1] == length - window else np.append(starts, length - window)


@dataclass(slots=True, eq=False)
class _Grid:
    """The windows of one image, with their values; -inf where one may not be taken."""

    image_id: str
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    height: int
    width: int
    information: NDArray[np.float64]
    value: NDArray[np.float64]

    def region(self, row: int, column: int) -> Region:
        y, x = int(self.rows[row]), int(self.columns[column])
        return Region(self.image_id, y, x, self.height, self.width)

    def strike_out(self, region: Region) -> None:
        """Forbid every window that overlaps ``region``."""
        top = np.searchsorted(self.rows, region.y - self.height, side="right")
        bottom = np.searchsorted(self.rows, region.bottom, side="left")
        left = np.searchsorted(self.columns, region.x - self.width, side="right")
        right = np.searchsorted(self.columns, region.right, side="left")
        self.value[top:bottom, left:right] = -np.inf


def most_valuable_windows(
    pool: Sequence[PoolImage],
    *,
    count: int,
    size: int,
    stride: int,
    rng: np.random.Generator,
    overlap: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> tuple[WindowPick, ...]:
    """Return the ``count`` windows of highest I^alpha / C^beta, best first.

    I is the mean uncertainty in the window, labelled pixels counting 0. Fewer come back when
    no more windows are free.
    """
    _check_count(count)
    grids = []
    for image in pool:
        if image.uncertainty is None:
            raise BadInputError(f"image {image.image_id!r} has no uncertainty map; predict first")
        grid = _grid(image, _unlabelled_uncertainty(image), size, stride, keep_taken=overlap)
        grid.value += value_per_cost(grid.information, image.cost_of_window, alpha=alpha, beta=beta)
        grids.append(grid)
    return tuple(_take_best(grids, count, rng, overlap=overlap))


def draw_windows(
    pool: Sequence[PoolImage],
    *,
    count: int,
    size: int,
    rng: np.random.Generator,
) -> tuple[WindowPick, ...]:
    """Return ``count`` windows drawn uniformly over all free places of all images.

    ``drawn_from`` is the number of places that each had the same chance at its draw. All images
    share one stride, 1 unless one is as large as a slide, so that area alone gives the chances.
    """
    _check_count(count)
    stride = max((_stride_of_draw(image.shape, size) for image in pool), default=1)
    grids = [_grid(image, None, size, stride, keep_taken=False) for image in pool]
    return tuple(_take_best(grids, count, rng, overlap=False))


def _stride_of_draw(shape: tuple[int, int], size: int) -> int:
    places = max(1, shape[0] - size + 1) * max(1, shape[1] - size + 1)
    return int(np.ceil(np.sqrt(places / _PLACES_TO_DRAW_FROM)))


def _check_count(count: int) -> None:
    if count < 1:
        raise ConfigError(f"count must be 1 or more, got {count}")


def _unlabelled_uncertainty(image: PoolImage) -> NDArray[np.float64]:
    if image.uncertainty is None or image.uncertainty.shape != image.shape:
        raise BadInputError(f"image {image.image_id!r}: map and image differ in shape")
    values = image.uncertainty.astype(np.float64)
    if not np.isfinite(values).all():
        raise BadInputError(
            f"image {image.image_id!r}: the uncertainty map holds NaN or infinity; predict again"
        )
    for region in image.taken:
        values[region.slices] = 0.0
    return values


def _grid(
    image: PoolImage,
    values: NDArray[np.float64] | None,
    size: int,
    stride: int,
    *,
    keep_taken: bool,
) -> _Grid:
    """Return the windows of an image; without ``values`` all hold the same, nothing."""
    height, width = min(size, image.shape[0]), min(size, image.shape[1])
    rows = window_starts(image.shape[0], size, stride)
    columns = window_starts(image.shape[1], size, stride)
    places = (len(rows), len(columns))
    information: NDArray[np.float64] = (
        np.broadcast_to(0.0, places)
        if values is None
        else _window_means(values, rows, columns, height, width)
    )
    grid = _Grid(image.image_id, rows, columns, height, width, information, np.zeros(places))
    if image.tissue is not None:
        share = _tissue_share(image, rows, columns, height, width)
        grid.value[share < _LEAST_TISSUE] = -np.inf
    if keep_taken:
        grid.value[_fully_taken(image, rows, columns, height, width)] = -np.inf
    else:
        for region in image.taken:
            grid.strike_out(region)
    return grid


def _fully_taken(
    image: PoolImage, rows: NDArray[np.intp], columns: NDArray[np.intp], height: int, width: int
) -> NDArray[np.bool_]:
    free = np.ones(image.shape)
    for region in image.taken:
        free[region.slices] = 0.0
    return _window_means(free, rows, columns, height, width) == 0.0


def _tissue_share(
    image: PoolImage, rows: NDArray[np.intp], columns: NDArray[np.intp], height: int, width: int
) -> NDArray[np.float64]:
    """Return which share of each window is tissue, at the resolution of the tissue mask."""
    mask = np.asarray(image.tissue, np.float64)
    tops, bottoms = _coarse(rows, height, image.shape[0], mask.shape[0])
    lefts, rights = _coarse(columns, width, image.shape[1], mask.shape[1])
    table = _summed(mask)
    sums = table[bottoms][:, rights] - table[tops][:, rights]
    sums += table[tops][:, lefts] - table[bottoms][:, lefts]
    areas = (bottoms - tops)[:, None] * (rights - lefts)[None, :]
    shares: NDArray[np.float64] = np.maximum(sums, 0.0) / areas
    return shares


def _coarse(
    starts: NDArray[np.intp], extent: int, full: int, coarse: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and end pixels, in a mask of ``coarse`` pixels, of windows among ``full``."""
    first = starts * coarse // full
    end = -(-(starts + extent) * coarse // full)
    return first, np.maximum(end, first + 1)


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=table[1:, 1:])
    return table


def _window_means(
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    height: int,
    width: int,
) -> NDArray[np.float64]:
    table = _summed(values)
    below, above = table[rows + height], table[rows]
    sums = below[:, columns + width] - above[:, columns + width]
    sums += above[:, columns] - below[:, columns]
    means: NDArray[np.float64] = np.maximum(sums, 0.0) / (height * width)
    return means


def _take_best(
    grids: list[_Grid], count: int, rng: np.random.Generator, *, overlap: bool
) -> Iterator[WindowPick]:
    best = np.array([grid.value.max(initial=-np.inf) for grid in grids])
    for _ in range(count):
        highest = best.max(initial=-np.inf)
        if highest == -np.inf:
            return
        least = highest - _TIE * abs(highest)
        tied = [(i, np.flatnonzero(grids[i].value >= least)) for i in np.flatnonzero(best >= least)]
        sizes = np.array([len(places) for _, places in tied])
        draw = int(rng.integers(sizes.sum()))
        which = int(np.searchsorted(np.cumsum(sizes), draw, side="right"))
        index, places = tied[which]
        grid = grids[index]
        place = int(places[draw - int(sizes[:which].sum())])
        row, column = divmod(place, grid.value.shape[1])
        region = grid.region(row, column)
        yield WindowPick(region, float(grid.information[row, column]), int(sizes.sum()))
        if overlap:
            grid.value[row, column] = -np.inf
        else:
            grid.strike_out(region)
        best[index] = grid.value.max(initial=-np.inf)
