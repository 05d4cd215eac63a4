"""Areas of pixels as polygons with holes that run along the pixels' edges: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["PixelArea", "find_areas", "find_outline"]

_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up, as (y, x)


@dataclass(frozen=True, slots=True, eq=False)
class PixelArea:
    """A connected area: its ``mask`` (h, w), whose first pixel lies at (``y``, ``x``)."""

    y: int
    x: int
    mask: NDArray[np.bool_]

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return int(self.mask.sum())

    def rings(self) -> tuple[NDArray[np.int64], ...]:
        """Return the outer ring and the holes, each (N, 2) of (x, y) corners; not closed."""
        corner = np.array([self.x, self.y])
        return tuple(ring + corner for ring in find_outline(self.mask))


def find_areas(
    mask: NDArray[np.bool_], objects: NDArray[np.integer] | None = None
) -> Iterator[PixelArea]:
    """Yield the areas of ``mask`` (H, W) whose pixels share sides, or those of each object.

    With ``objects`` (0 for none) an object in several pieces yields one area a piece.
    """
    if objects is None:
        yield from _pieces(mask, 0, 0)
        return
    numbered = np.where(mask, objects, 0)
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        if box is not None:
            yield from _pieces(numbered[box] == number, box[0].start, box[1].start)
    yield from _pieces(mask & (numbered == 0), 0, 0)


def _pieces(mask: NDArray[np.bool_], y: int, x: int) -> Iterator[PixelArea]:
    numbered, _ = ndimage.label(mask)
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        yield PixelArea(y + box[0].start, x + box[1].start, numbered[box] == number)


def find_outline(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the rings around a connected area, the outer one first.

    Corners are (x, y), pixel (0, 0) covers 0..1 x 0..1. No ring touches itself: where one would,
    it is split into a ring and a hole that touch.
    """
    left = _edges(mask)
    rings: list[NDArray[np.int64]] = []
    while left:
        rings += [_corners(loop) for loop in _loops(left)]
    rings.sort(key=_signed_area, reverse=True)  # the outer one runs clockwise, holes against it
    return rings


def _edges(mask: NDArray[np.bool_]) -> dict[tuple[int, int, int], None]:
    """Return the unit edges between inside and outside, by start and direction, inside right."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    found: dict[tuple[int, int, int], None] = {}
    neighbours = (
        (padded[:-2, 1:-1], 0, 0),  # above: along the top, to the right
        (padded[1:-1, 2:], 0, 1),  # right: down
        (padded[2:, 1:-1], 1, 1),  # below: to the left
        (padded[1:-1, :-2], 1, 0),  # left: up
    )
    for direction, (neighbour, dy, dx) in enumerate(neighbours):
        rows, columns = np.nonzero(inside & ~neighbour)
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
            found[y + dy, x + dx, direction] = None
    return found


def _loops(left: dict[tuple[int, int, int], None]) -> list[list[tuple[int, int]]]:
    """Remove one closed loop from the remaining edges, and split it where it meets itself."""
    y, x, direction = next(iter(left))
    loops: list[list[tuple[int, int]]] = []
    walk: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    while True:
        if (y, x) in place:
            start = place[y, x]
            loops.append(walk[start:])
            for corner in walk[start:]:
                del place[corner]
            del walk[start:]
            if (y, x, direction) not in left:
                return loops
        place[y, x] = len(walk)
        walk.append((y, x))
        del left[y, x, direction]
        y, x = y + _STEPS[direction][0], x + _STEPS[direction][1]
        for turn in (1, 0, 3):  # right, straight on, left: pixels that only touch stay apart
            if (y, x, (direction + turn) % 4) in left:
                direction = (direction + turn) % 4
                break


def _corners(loop: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the corners (x, y) of a loop of unit steps, without what lies on a straight line."""
    points = np.asarray(loop, np.int64)[:, ::-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = (before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) != 0
    corners: NDArray[np.int64] = points[turns]
    return corners


def _signed_area(ring: NDArray[np.int64]) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
