"""The three scores of the GlaS contest, from instance maps: object F1, Dice and Hausdorff.

After Sirinukunwattana et al. 2017. Each object of one map has a partner in the other: the object
that it shares most pixels with, the lower id of equals. Dice and Hausdorff are averaged over the
true objects and over the found ones, each weighed by its share of the area, and the two means are
averaged. An object without a partner has Dice 0, and the Hausdorff distance to the object that is
nearest by that same distance.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.metrics.boundaries import hausdorff_distance
from napari_active_seg.metrics.objects import ObjectCounts, ObjectTable, build_object_table

__all__ = ["GlasSums", "compute_glas_sums"]


@dataclass(frozen=True, slots=True)
class _Side:
    """Sums over the objects of one map, each weighed by its area."""

    area: float = 0.0
    dice: float = 0.0
    hausdorff: float = 0.0
    unpaired_area: float = 0.0  #: of objects in images where the other map has none at all

    def __add__(self, other: _Side) -> _Side:
        return _Side(
            self.area + other.area,
            self.dice + other.dice,
            self.hausdorff + other.hausdorff,
            self.unpaired_area + other.unpaired_area,
        )


@dataclass(frozen=True, slots=True)
class GlasSums:
    """Sums of one image, or of several: added up, areas weigh over all images together."""

    counts: ObjectCounts = field(default_factory=ObjectCounts)
    found: _Side = field(default_factory=_Side)
    truth: _Side = field(default_factory=_Side)

    def __add__(self, other: GlasSums) -> GlasSums:
        return GlasSums(
            self.counts + other.counts, self.found + other.found, self.truth + other.truth
        )

    @property
    def object_f1(self) -> float:
        """Object F1."""
        return self.counts.f1

    @property
    def object_dice(self) -> float:
        """Object Dice in 0..1; 1 where there is nothing on either side, 0 where on one alone."""
        if self.found.area == 0 and self.truth.area == 0:
            return 1.0
        if self.found.area == 0 or self.truth.area == 0:
            return 0.0
        return 0.5 * (self.found.dice / self.found.area + self.truth.dice / self.truth.area)

    @property
    def object_hausdorff(self) -> float:
        """Object Hausdorff in pixels; infinite where an image has objects on one side alone."""
        if self.found.area == 0 and self.truth.area == 0:
            return 0.0
        if self.found.unpaired_area or self.truth.unpaired_area:
            return float("inf")
        return 0.5 * (
            self.found.hausdorff / self.found.area + self.truth.hausdorff / self.truth.area
        )


def compute_glas_sums(found: NDArray[np.integer], truth: NDArray[np.integer]) -> GlasSums:
    """Return the sums of one image from instance maps (H, W), 0 being no object."""
    table = build_object_table(found, truth)
    if table.overlaps.size == 0:
        alone = [float(areas.sum()) for areas in (table.found_areas, table.true_areas)]
        return GlasSums(table.counts(), *(_Side(area, unpaired_area=area) for area in alone))
    distances = _Distances(table)
    return GlasSums(
        table.counts(),
        _side(table.overlaps, table.found_areas, table.true_areas, distances),
        _side(table.overlaps.T, table.true_areas, table.found_areas, distances.reverse()),
    )


def _side(
    overlaps: NDArray[np.int64],
    areas: NDArray[np.int64],
    others: NDArray[np.int64],
    distances: _Distances,
) -> _Side:
    """Return the sums over the objects of one map, given what they share with the other's."""
    dice = hausdorff = 0.0
    for own, partner in enumerate(overlaps.argmax(axis=1).tolist()):
        shared = int(overlaps[own, partner])
        area = int(areas[own])
        if shared:
            dice += area * 2 * shared / (area + int(others[partner]))
            hausdorff += area * distances.between(own, partner)
        else:
            hausdorff += area * distances.to_nearest(own)
    return _Side(float(areas.sum()), dice, hausdorff)


class _Distances:
    """Hausdorff distances between the objects of two maps, each taken once.

    An object's pixels beyond the other are all that can lie far from it, and the nearest pixel of
    the other lies on its border: only those are measured.
    """

    def __init__(self, table: ObjectTable) -> None:
        self._maps = (table.found, table.truth)
        self._boxes = tuple(ndimage.find_objects(ids) for ids in self._maps)
        self._known: dict[tuple[int, int], float] = {}
        self._swapped = False

    def reverse(self) -> _Distances:
        """Return the same distances in the other direction."""
        other = object.__new__(_Distances)
        other._maps, other._boxes, other._known = self._maps, self._boxes, self._known
        other._swapped = not self._swapped
        return other

    def between(self, own: int, other: int) -> float:
        """Return the distance between two objects, by their places in the tables."""
        pair = (other, own) if self._swapped else (own, other)
        if pair not in self._known:
            self._known[pair] = self._measured(*pair)
        return self._known[pair]

    def to_nearest(self, own: int) -> float:
        """Return the smallest distance to any object of the other map."""
        boxes, others = self._boxes[self._swapped], self._boxes[not self._swapped]
        least = [_least(boxes[own], box) for box in others]
        best = np.inf
        for other in np.argsort(least, kind="stable").tolist():
            if least[other] >= best:
                break
            best = min(best, self.between(own, other))
        return best

    def _measured(self, found: int, true: int) -> float:
        box = _union(self._boxes[0][found], self._boxes[1][true])
        a, b = self._maps[0][box] == found + 1, self._maps[1][box] == true + 1
        return hausdorff_distance(a, b)


def _union(a: tuple[slice, slice], b: tuple[slice, slice]) -> tuple[slice, ...]:
    return tuple(
        slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(a, b, strict=True)
    )


def _least(a: tuple[slice, slice], b: tuple[slice, slice]) -> float:
    """Return a lower bound of the distance, from the extreme pixels of both objects."""
    gaps = [max(abs(p.start - q.start), abs(p.stop - q.stop)) for p, q in zip(a, b, strict=True)]
    return float(max(gaps))
