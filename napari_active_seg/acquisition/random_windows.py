"""Windows drawn at random over tissue: for a start, for a fair sample, and for baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.pool_image import Candidate, PoolImage
from napari_active_seg.acquisition.windows import WindowGrid, find_free_windows
from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import MaskedRegion, Region

__all__ = ["FOREGROUND_SHARE", "draw_windows", "draw_windows_on_foreground", "scatter_windows"]

#: Most candidate windows of one image in a draw: on a slide not every pixel starts one.
_PLACES_TO_DRAW_FROM = 1_000_000
#: Two of three windows lie on predicted foreground, as in the study that calls it hard to beat.
FOREGROUND_SHARE = 2 / 3
#: Steps of this share of a whole, begun anywhere, divide it evenly however many are taken.
_GOLDEN = (5**0.5 - 1) / 2


def draw_windows(
    pool: Sequence[PoolImage],
    *,
    count: int,
    size: int,
    rng: np.random.Generator,
    spread: bool = False,
) -> tuple[Candidate, ...]:
    """Return ``count`` windows drawn uniformly over all free places of all images.

    ``drawn_from`` is the number of places that each had the same chance at its draw. All images
    share one stride, 1 unless one is as large as a slide, so that area alone gives the chances.
    With ``spread`` the draws are distributed evenly over the images, in proportion to their free
    places: systematic sampling from a random start. The chance of every place stays the same.
    """
    _check_count(count)
    draw = _Draw(pool, size)
    start = float(rng.random()) if spread else 0.0
    found = []
    for number in range(count):
        at = (start + number * _GOLDEN) % 1.0 if spread else None
        candidate = draw.anywhere(rng, at)
        if candidate is None:
            break
        found.append(candidate)
    return tuple(found)


def draw_windows_on_foreground(
    pool: Sequence[PoolImage],
    *,
    count: int,
    size: int,
    rng: np.random.Generator,
    classes_of: Callable[[str], NDArray[np.uint8]],
    share: float = FOREGROUND_SHARE,
) -> tuple[Candidate, ...]:
    """Return windows of which ``share`` have a pixel of predicted foreground at their middle.

    Foreground is every class but the first. The pixel is drawn uniformly over the foreground of
    all images, and the window moved into its image; one that is not free is drawn again. Where no
    window on foreground is left, and for the rest, draws are uniform over all free places.
    ``classes_of`` returns what an image's map predicts; it is called again where one is drawn.
    """
    _check_count(count)
    draw = _Draw(pool, size)
    foreground = _Foreground(pool, classes_of)
    found: list[Candidate] = []
    for number in range(count):
        wanted = int((number + 1) * share + 1e-9) > int(number * share + 1e-9)
        candidate = draw.at_foreground(foreground, rng) if wanted else None
        candidate = candidate or draw.anywhere(rng)
        if candidate is None:
            break
        found.append(candidate)
    return tuple(found)


def scatter_windows(
    pool: Sequence[PoolImage], *, most: int, size: int, rng: np.random.Generator
) -> tuple[Candidate, ...]:
    """Return free windows at steps of half their size: all of them, or ``most`` drawn of them."""
    grids = [find_free_windows(image, size, max(1, size // 2)) for image in pool]
    ends = np.cumsum([_n_free(grid) for grid in grids])
    total = int(ends[-1]) if len(ends) else 0
    drawn = np.arange(total)
    if total > most:
        drawn = np.sort(rng.choice(total, most, replace=False))
    found = []
    for index, (image, grid) in enumerate(zip(pool, grids, strict=True)):
        start = int(ends[index - 1]) if index else 0
        places = np.flatnonzero(grid.value != -np.inf)
        for place in places[drawn[(drawn >= start) & (drawn < ends[index])] - start].tolist():
            region = grid.region(*divmod(place, grid.value.shape[1]))
            found.append(Candidate(MaskedRegion(region), 0.0, 0.0, patient=image.patient))
    return tuple(found)


def _check_count(count: int) -> None:
    if count < 1:
        raise ConfigError(f"count must be 1 or more, got {count}")


def _stride(shape: tuple[int, int], size: int) -> int:
    places = max(1, shape[0] - size + 1) * max(1, shape[1] - size + 1)
    return int(np.ceil(np.sqrt(places / _PLACES_TO_DRAW_FROM)))


class _Draw:
    """Free places of all images; only grids of images that were drawn are kept."""

    _TRIES = 200

    def __init__(self, pool: Sequence[PoolImage], size: int) -> None:
        self._pool, self._size = pool, size
        self._stride = max((_stride(image.shape, size) for image in pool), default=1)
        self._grids: dict[int, WindowGrid] = {}
        self._free = np.array([_n_free(self._made(i)) for i in range(len(pool))], np.int64)
        self._ends_at_first = np.cumsum(self._free)

    def anywhere(self, rng: np.random.Generator, at: float | None = None) -> Candidate | None:
        """Return a window drawn over all free places; None where there is none.

        ``at``, 0 to below 1, decides the image, as long as it has a free place: all places that
        were free at first are laid out one image after the other, and the image at that point of
        the row is taken, with any of its places.
        """
        total = int(self._free.sum())
        if total == 0:
            return None
        at_index = None if at is None else self._image_at(at)
        if at_index is not None and self._free[at_index]:
            index = at_index
            nth = int(rng.integers(self._free[index]))
        else:
            draw = int(rng.integers(total))
            index = int(np.searchsorted(np.cumsum(self._free), draw, side="right"))
            nth = draw - int(self._free[:index].sum())
        grid = self._grid(index)
        place = int(np.flatnonzero(grid.value != -np.inf)[nth])
        row, column = divmod(place, grid.value.shape[1])
        return self._take(index, grid.region(row, column), drawn_from=total, chance=1 / total)

    def _image_at(self, at: float) -> int:
        """Return the image at a point of the row of all places that were free at first."""
        place = int(at * int(self._ends_at_first[-1]))
        return int(np.searchsorted(self._ends_at_first, place, side="right"))

    def at_foreground(self, foreground: _Foreground, rng: np.random.Generator) -> Candidate | None:
        """Return a window about a pixel drawn over all foreground; None where none was free."""
        total = foreground.total
        if total == 0:
            return None
        for _ in range(self._TRIES):
            index, pixel = foreground.pixel(int(rng.integers(total)))
            grid, image = self._grid(index), self._pool[index]
            y, x = (at * image.step for at in divmod(pixel, image.map_shape[1]))
            row = _nearest(grid.rows.starts, y - grid.rows.extent // 2)
            column = _nearest(grid.columns.starts, x - grid.columns.extent // 2)
            if grid.value[row, column] != -np.inf:
                return self._take(index, grid.region(row, column), drawn_from=total, chance=None)
        return None

    def _take(
        self, index: int, region: Region, *, drawn_from: int, chance: float | None
    ) -> Candidate:
        grid, image = self._grid(index), self._pool[index]
        grid.strike_out(region)
        self._free[index] = _n_free(grid)
        return Candidate(
            MaskedRegion(region),
            0.0,
            0.0,
            patient=image.patient,
            drawn_from=drawn_from,
            chance=chance,
        )

    def _grid(self, index: int) -> WindowGrid:
        if index not in self._grids:
            self._grids[index] = self._made(index)
        return self._grids[index]

    def _made(self, index: int) -> WindowGrid:
        return find_free_windows(self._pool[index], self._size, self._stride)


class _Foreground:
    """Predicted foreground of all images, of which only the last one is kept."""

    def __init__(
        self, pool: Sequence[PoolImage], classes_of: Callable[[str], NDArray[np.uint8]]
    ) -> None:
        self._image_ids, self._classes_of = [image.image_id for image in pool], classes_of
        self._weights = [image.step**2 for image in pool]
        counts = [
            int(np.count_nonzero(classes_of(image.image_id))) * weight
            for image, weight in zip(pool, self._weights, strict=True)
        ]
        self._ends = np.cumsum(np.array(counts, np.int64))
        self._last: tuple[int, NDArray[np.intp]] = (-1, np.empty(0, np.intp))

    @property
    def total(self) -> int:
        """How many pixels of foreground there are."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def pixel(self, number: int) -> tuple[int, int]:
        """Return the image and the flat index in its map of the pixel of a number."""
        index = int(np.searchsorted(self._ends, number, side="right"))
        if self._last[0] != index:
            self._last = (index, np.flatnonzero(self._classes_of(self._image_ids[index])))
        pixels, weight = self._last[1], self._weights[index]
        own = number - int(self._ends[index]) + len(pixels) * weight
        return index, int(pixels[own // weight])


def _n_free(grid: WindowGrid) -> int:
    return int(np.count_nonzero(grid.value != -np.inf))


def _nearest(starts: NDArray[np.intp], wanted: int) -> int:
    """Return the place of the start that lies nearest to ``wanted``."""
    return int(np.abs(starts - wanted).argmin())
