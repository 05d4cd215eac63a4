"""Predict a slide as maps that keep one pixel of each square of several.

The slide is walked over in squares with their surroundings, so that memory holds one of them and
the maps. Of the squares without tissue one is predicted, and stands for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, find_tissue, map_step
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import Moments

__all__ = ["slide_map"]

#: The side of a square in pixels of the slide, a multiple of every step, and what is seen about it.
_SIDE, _SURROUNDINGS = 1024, 64


def slide_map(
    source: ImageSource,
    name: str,
    segmenter: Segmenter,
    plan: InferenceOptions,
    check_cancelled: Callable[[], None],
    report: ProgressCallback,
) -> tuple[Moments, int]:
    """Return the moments of the pixel in the middle of each full square, and a square's side."""
    step = map_step(source.shape)
    walk = _Walk(source, name, segmenter, plan, check_cancelled, step)
    tissue = find_tissue(source)
    maps: _Maps | None = None
    glass: Moments | None = None
    squares = list(_squares(name, source.shape, step))
    for number, square in enumerate(squares):
        check_cancelled()
        report(number, len(squares), f"{name}, square {number + 1} of {len(squares)}")
        is_glass = not _any_tissue(tissue, square, source.shape)
        shape = (square.height // step, square.width // step)
        if is_glass and glass is not None and _fits(shape, glass.shape):
            said = glass.crop(0, 0, *shape)
        else:
            said = walk.predict_square(square)
            glass = said if is_glass else glass
        maps = maps or _Maps.like(said, _map_shape(source.shape, step))
        maps.put(said, square.y // step, square.x // step)
    if maps is None:
        raise ImageError(f"{name} is too narrow to be predicted")
    return maps.moments(), step


def _map_shape(shape: tuple[int, int], step: int) -> tuple[int, int]:
    return (max(1, shape[0] // step), max(1, shape[1] // step))


def _squares(name: str, shape: tuple[int, int], step: int) -> Iterator[Region]:
    """Yield squares that cover all full steps of a slide."""
    height, width = (length // step * step for length in shape)
    side = max(step, _SIDE // step * step)
    for y in range(0, height, side):
        for x in range(0, width, side):
            yield Region(name, y, x, min(side, height - y), min(side, width - x))


def _any_tissue(tissue: NDArray[np.bool_], square: Region, shape: tuple[int, int]) -> bool:
    rows, columns = (
        slice(start * coarse // full, max(-(-end * coarse // full), start * coarse // full + 1))
        for start, end, coarse, full in (
            (square.y, square.bottom, tissue.shape[0], shape[0]),
            (square.x, square.right, tissue.shape[1], shape[1]),
        )
    )
    return bool(tissue[rows, columns].any())


def _fits(shape: tuple[int, int], into: tuple[int, int]) -> bool:
    return shape[0] <= into[0] and shape[1] <= into[1]


@dataclass(frozen=True, slots=True)
class _Walk:
    """Asks about squares of one slide."""

    source: ImageSource
    name: str
    segmenter: Segmenter
    plan: InferenceOptions
    check_cancelled: Callable[[], None]
    step: int

    def predict_square(self, square: Region) -> Moments:
        """Return the moments of the middle pixels of a square, seen with what is about it."""
        around = square.grow(_SURROUNDINGS, self.source.shape)
        pixels = self.source.read(0, around.y, around.x, around.height, around.width)
        whole = self.segmenter.predict(
            pixels, plan=self.plan, check_cancelled=self.check_cancelled
        ).moments
        inside = whole.crop(square.y - around.y, square.x - around.x, *square.shape)
        middle = slice(self.step // 2, None, self.step)
        return Moments(
            inside.n,
            inside.mean_p[:, middle, middle],
            inside.mean_plogp[middle, middle],
            inside.var_p[:, middle, middle],
            inside.votes[:, middle, middle],
            {name: values[..., middle, middle] for name, values in inside.extras.items()},
        )


class _Maps:
    """Arrays as large as the slide's maps, filled square by square."""

    def __init__(self, n: int, arrays: dict[str, NDArray[np.generic]]) -> None:
        self._n, self._arrays = n, arrays

    @staticmethod
    def like(moments: Moments, shape: tuple[int, int]) -> _Maps:
        """Return empty maps of ``shape`` for moments such as these."""
        return _Maps(
            moments.n,
            {
                name: np.zeros((*values.shape[:-2], *shape), values.dtype)
                for name, values in _arrays_of(moments).items()
            },
        )

    def put(self, moments: Moments, row: int, column: int) -> None:
        """Lay the moments of a square in, the first at (row, column)."""
        height, width = moments.shape
        for name, values in _arrays_of(moments).items():
            self._arrays[name][..., row : row + height, column : column + width] = values

    def moments(self) -> Moments:
        """Return the maps as moments."""
        extras = {
            name.removeprefix(_EXTRA): values
            for name, values in self._arrays.items()
            if name.startswith(_EXTRA)
        }
        plain = {k: v for k, v in self._arrays.items() if not k.startswith(_EXTRA)}
        return Moments(self._n, **plain, extras=extras)  # type: ignore[arg-type]


_EXTRA = "extra "


def _arrays_of(moments: Moments) -> dict[str, NDArray[np.generic]]:
    return {
        "mean_p": moments.mean_p,
        "mean_plogp": moments.mean_plogp,
        "var_p": moments.var_p,
        "votes": moments.votes,
        **{_EXTRA + name: values for name, values in moments.extras.items()},
    }
