"""Distances between the borders of two masks: Hausdorff distances and boundary F1.

Distances are between the centres of pixels, in the unit of ``spacing``. Memory and time grow with
the image, so that these are scores of one image at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_active_seg.errors import BadInputError

__all__ = ["BoundaryScores", "boundary_scores", "hausdorff_distance"]

#: One pixel of this many is measured before it is decided which others have to be.
_EVERY = 16


@dataclass(frozen=True, slots=True)
class BoundaryScores:
    """Distances between two masks of one image.

    NaN where both are empty; the image's diagonal, and an F1 of 0, where one is.
    """

    hausdorff: float
    hausdorff_95: float  #: 95 % of the border pixels of either mask lie nearer than this
    boundary_f1: float  #: border pixels of each that lie within the tolerance of the other's


def boundary_scores(
    found: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    *,
    tolerance: float = 2.0,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> BoundaryScores:
    """Return the scores of two masks (H, W); ``tolerance`` is in the unit of ``spacing``.

    Borders are the pixels of a mask that have one outside it among their four neighbours; the
    image's own border counts as outside. HD95 is the larger of the two directed percentiles.
    """
    if found.shape != truth.shape or found.ndim != 2:
        raise BadInputError(f"masks of unlike shapes: {found.shape} and {truth.shape}")
    if not found.any() and not truth.any():
        return BoundaryScores(np.nan, np.nan, np.nan)
    if not found.any() or not truth.any():
        diagonal = _diagonal(found.shape, spacing)
        return BoundaryScores(diagonal, diagonal, 0.0)
    borders = _border(found), _border(truth)
    from_found = ndimage.distance_transform_edt(~borders[1], sampling=spacing)[borders[0]]
    from_truth = ndimage.distance_transform_edt(~borders[0], sampling=spacing)[borders[1]]
    precision = float((from_found <= tolerance).mean())
    recall = float((from_truth <= tolerance).mean())
    both = precision + recall
    return BoundaryScores(
        hausdorff_distance(found, truth, spacing=spacing),
        float(max(np.percentile(from_found, 95), np.percentile(from_truth, 95))),
        2 * precision * recall / both if both else 0.0,
    )


def hausdorff_distance(
    a: NDArray[np.bool_], b: NDArray[np.bool_], *, spacing: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Return the symmetric Hausdorff distance of two masks.

    Of all pixels, not of borders alone: the middle of a disc is far from a ring around it. Infinite
    where one mask is empty, 0 where both are.
    """
    if not a.any() or not b.any():
        return 0.0 if a.any() == b.any() else np.inf
    return max(_directed(a, b, spacing), _directed(b, a, spacing))


def _directed(a: NDArray[np.bool_], b: NDArray[np.bool_], spacing: tuple[float, float]) -> float:
    """Return the directed Hausdorff distance from ``a`` to ``b``.

    Every sixteenth pixel is measured first. Another one can lie further from ``b`` by no more than
    its own way to that pixel, so that few are left to be measured.
    """
    points = np.argwhere(a & ~b) * np.array(spacing)
    if not len(points):
        return 0.0
    tree = cKDTree(
        np.argwhere(_border(b)) * np.array(spacing), balanced_tree=False, compact_nodes=False
    )
    known = tree.query(points[::_EVERY])[0]
    furthest = float(known.max())
    of_known = np.arange(len(points)) // _EVERY
    way = points - points[::_EVERY][of_known]
    may_be = known[of_known] + np.hypot(way[:, 0], way[:, 1]) > furthest
    if may_be.any():
        furthest = max(furthest, float(tree.query(points[may_be])[0].max()))
    return furthest


def _border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask that have one outside it among their four neighbours."""
    inside = mask.copy()
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    inside[1:-1] &= mask[:-2] & mask[2:]
    inside[:, 1:-1] &= mask[:, :-2] & mask[:, 2:]
    border: NDArray[np.bool_] = mask & ~inside
    return border


def _diagonal(shape: tuple[int, ...], spacing: tuple[float, float]) -> float:
    return float(np.hypot((shape[0] - 1) * spacing[0], (shape[1] - 1) * spacing[1]))
