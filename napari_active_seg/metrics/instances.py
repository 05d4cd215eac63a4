"""Objects out of probability maps: object minus outline, components, and rules of size.

The rules are fixed on validation images and then used as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import expand_labels

from napari_active_seg.errors import BadInputError, NothingToDoError
from napari_active_seg.metrics.object_scores import ObjectScores
from napari_active_seg.metrics.objects import ObjectCounts, count_objects

__all__ = ["InstanceRules", "ObjectMaps", "find_instances", "fit_rules"]

_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
_CONTOUR_WEIGHTS = (0.0, 0.5, 1.0)
_SMALLEST = (0, 30, 100, 300, 1000)
_HOLES = (0, 100, 1000, 10_000)
_PREFIX = "instances/"


@dataclass(frozen=True, slots=True)
class InstanceRules:
    """Rules by which probability maps become objects; areas in pixels.

    ``contour_weight`` is how much of the outline's probability is taken from the object's. What
    that takes away is given back afterwards by growing the objects by ``growth`` pixels, inside
    the area that is more object than not.
    """

    threshold: float = 0.5
    contour_weight: float = 1.0
    smallest: int = 100
    largest_hole: int = 1000
    growth: int = 3

    def as_figures(self) -> dict[str, float]:
        """Return the rules as named numbers, to be kept with a model's figures."""
        return {_PREFIX + name: float(value) for name, value in asdict(self).items()}

    @staticmethod
    def from_figures(figures: Mapping[str, float]) -> InstanceRules | None:
        """Return the rules among a model's figures; None if it has none."""
        found = {k.removeprefix(_PREFIX): v for k, v in figures.items() if k.startswith(_PREFIX)}
        if not found:
            return None
        return InstanceRules(
            found["threshold"],
            found["contour_weight"],
            int(found["smallest"]),
            int(found["largest_hole"]),
            int(found["growth"]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMaps:
    """Probabilities (H, W) of lying in an object and on an outline, and the true ids if known."""

    objects: NDArray[np.float32]
    contours: NDArray[np.float32]
    truth: NDArray[np.int32] | None = None


def find_instances(maps: ObjectMaps, rules: InstanceRules) -> NDArray[np.int32]:
    """Return the ids of objects (H, W), numbered from 1; 0 is no object."""
    kept = maps.objects - rules.contour_weight * maps.contours > rules.threshold
    ids, _ = ndimage.label(_fill_holes(kept, rules.largest_hole))
    ids = _remove_small(ids, rules.smallest)
    if rules.contour_weight > 0 and rules.growth > 0:
        grown = expand_labels(ids, rules.growth)
        ids = np.where(maps.objects > 0.5, grown, ids)
    return np.asarray(ids, np.int32)


def fit_rules(images: Sequence[ObjectMaps]) -> tuple[InstanceRules, ObjectScores]:
    """Fit the rules with the best object F1 over ``images``; also return the object scores.

    Threshold and outline are chosen together, then the sizes; the milder of equals is taken.
    """
    known = [maps for maps in images if maps.truth is not None]
    if not known:
        raise NothingToDoError("no validation image with objects to fix the rules on")
    start = InstanceRules()
    first = [
        replace(start, threshold=t, contour_weight=w) for t in _THRESHOLDS for w in _CONTOUR_WEIGHTS
    ]
    best = _best(first, known)
    second = [
        replace(best, smallest=small, largest_hole=hole) for small in _SMALLEST for hole in _HOLES
    ]
    best = _best([best, *second], known)
    scores = ObjectScores()
    for maps in known:
        scores = scores.add(find_instances(maps, best), _truth_of(maps))
    return best, scores


def _best(candidates: Sequence[InstanceRules], images: Sequence[ObjectMaps]) -> InstanceRules:
    return max(candidates, key=lambda rules: _count_pairs(rules, images).f1)


def _count_pairs(rules: InstanceRules, images: Sequence[ObjectMaps]) -> ObjectCounts:
    total = ObjectCounts()
    for maps in images:
        total += count_objects(find_instances(maps, rules), _truth_of(maps))
    return total


def _truth_of(maps: ObjectMaps) -> NDArray[np.int32]:
    if maps.truth is None:
        raise BadInputError("nothing is known of the true objects of this image")
    return maps.truth


def _fill_holes(mask: NDArray[np.bool_], largest: int) -> NDArray[np.bool_]:
    """Return ``mask`` with enclosed holes of at most ``largest`` pixels filled."""
    if largest <= 0:
        return mask
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(mask)
    holes, _ = ndimage.label(filled & ~mask)
    sizes = np.bincount(holes.ravel())
    sizes[0] = largest + 1
    return mask | ((sizes <= largest)[holes])


def _remove_small(ids: NDArray[np.int32], smallest: int) -> NDArray[np.int32]:
    """Return ``ids`` without objects below ``smallest`` pixels, numbered again from 1."""
    sizes = np.bincount(ids.ravel())
    stays = sizes >= max(1, smallest)
    stays[0] = False
    new = np.where(stays, np.cumsum(stays), 0)
    return np.asarray(new[ids], np.int32)
