"""Representative points by greedy facility location.

Each next point is the one that brings all others nearest to some chosen one, summed. Unlike the
furthest point (k-centre), that is never an outlier: a speck of dust is near to nothing. The sum
that is saved grows less with every point, so the greedy choice is within 1 - 1/e of the best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["Coverage"]


class Coverage:
    """Distances of ``points`` (N, D) to the nearest that was added, or is ``labelled`` (L, D)."""

    def __init__(self, points: NDArray[np.floating], labelled: NDArray[np.floating]) -> None:
        if points.ndim != 2 or (len(labelled) and labelled.shape[1:] != points.shape[1:]):
            raise BadInputError(
                f"points must be (N, D) and (L, D), got {points.shape} and {labelled.shape}"
            )
        self._apart = _distances(points, points)
        furthest = self._apart.max(initial=0.0)
        self._nearest = np.full(len(points), furthest)
        self._by = np.full(len(points), -1, np.intp)
        if len(labelled):
            self._nearest = np.minimum(self._nearest, _distances(points, labelled).min(axis=1))

    def gains(self) -> NDArray[np.float64]:
        """Return by how much (N,) all distances together shrink with each point."""
        return np.maximum(self._nearest[:, None] - self._apart, 0.0).sum(axis=0)

    def add(self, index: int) -> None:
        """Add a point."""
        nearer = self._apart[:, index] < self._nearest
        nearer[index] = True
        self._by[nearer] = index
        self._nearest = np.minimum(self._nearest, self._apart[:, index])

    def share_of(self, index: int) -> float:
        """Return the share of all points of which a point is the nearest so far."""
        return float((self._by == index).mean())


def _distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * (a @ b.T)
    apart: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
    return apart
