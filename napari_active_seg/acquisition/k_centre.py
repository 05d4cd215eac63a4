"""k-centre greedy over embeddings (Sener and Savarese 2018): each next one the furthest from all.

Squared distances come from one matrix-vector product for each centre, ``|x|^2 + |c|^2 - 2 x.c``,
over vectors that were moved to the mean of all. Such a difference cancels for near points; those
are subtracted and squared instead. Memory is that of the embeddings and a few numbers for each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["KCentre", "k_centre_greedy"]

#: A distance of less than this share of what it is the difference of is worked out again.
_NEAR = 1e-3
#: Number of differences held in memory at once.
_AT_ONCE = 4_000_000


class KCentre:
    """Distances of ``points`` (N, D) to the nearest of the centres that were added."""

    def __init__(self, points: NDArray[np.floating], labelled: NDArray[np.floating]) -> None:
        if points.ndim != 2 or labelled.ndim != 2 or points.shape[1] != labelled.shape[1]:
            raise BadInputError(
                f"embeddings must be (N, D) and (L, D), got {points.shape} and {labelled.shape}"
            )
        if not (np.isfinite(points).all() and np.isfinite(labelled).all()):
            raise BadInputError("embeddings hold NaN or infinity; train the model again")
        mean = points.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._points = np.subtract(points, mean, dtype=np.float32)
        self._squares = np.einsum("nd,nd->n", self._points, self._points)
        self.distance = np.full(len(points), np.inf, np.float32)
        for centre in np.subtract(labelled, mean, dtype=np.float32):
            self._add(centre)

    def find_furthest(self, allowed: NDArray[np.bool_], rng: np.random.Generator) -> int:
        """Return the allowed point that lies furthest from all centres; any of several at random.

        Without a centre it is the one nearest to the mean of the allowed.
        """
        if not allowed.any():
            raise BadInputError("no point is allowed")
        if np.isinf(self.distance).all():
            middle = self._points[allowed].mean(axis=0)
            away = np.square(self._points - middle).sum(axis=1)
            return int(np.argmin(np.where(allowed, away, np.inf)))
        ranked = np.where(allowed, self.distance, -1.0)
        best = np.flatnonzero(ranked == ranked.max())
        return int(best[0] if len(best) == 1 else rng.choice(best))

    def add(self, index: int) -> None:
        """Make a point a centre."""
        self._add(self._points[index])
        self.distance[index] = -1.0

    def _add(self, centre: NDArray[np.float32]) -> None:
        scale = self._squares + np.float32(centre @ centre)
        squares = self._points @ centre
        squares *= -2
        squares += scale
        near = np.flatnonzero(squares < _NEAR * scale)
        step = max(1, _AT_ONCE // self._points.shape[1])
        for start in range(0, len(near), step):
            part = near[start : start + step]
            squares[part] = np.square(self._points[part] - centre).sum(axis=1)
        np.maximum(squares, 0, out=squares)
        np.minimum(self.distance, squares, out=self.distance)


def k_centre_greedy(
    points: NDArray[np.floating],
    labelled: NDArray[np.floating],
    count: int,
    rng: np.random.Generator,
) -> tuple[int, ...]:
    """Return the indices of ``count`` points (or all), each the furthest from all before it."""
    centres = KCentre(points, labelled)
    allowed = np.ones(len(points), bool)
    chosen = []
    for _ in range(min(count, len(points))):
        index = centres.find_furthest(allowed, rng)
        allowed[index] = False
        centres.add(index)
        chosen.append(index)
    return tuple(chosen)
