"""Which strategy suits a pool and a budget, after Table 8 of the realistic evaluation.

Redundancy is how much nearer places lie to their nearest neighbour than they would if nothing but
the spread along each direction were known: embeddings are turned onto their principal components,
scaled to the same spread, and compared with a reference in which every component is shuffled over
the places by itself.

    redundancy = 1 - mean nearest distance / mean nearest distance of the shuffled reference

0 is a pool without any likeness beyond chance, 1 one of exact copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["Advice", "advise", "redundancy_of"]

#: From here on a pool counts as redundant.
REDUNDANT = 0.5
#: From here on labels cover enough of the pool to count as a high budget.
HIGH_BUDGET = 0.05
#: Places that are needed to say anything of a pool.
LEAST_PLACES = 12
_COMPONENTS, _SHUFFLES = 8, 5


@dataclass(frozen=True, slots=True)
class Advice:
    """A strategy, whether unlabelled images should help to train, and why."""

    strategy: str
    unlabelled: str
    redundancy: float
    n_places: int
    covered: float

    @property
    def words(self) -> str:
        """What was measured, and what follows, in two sentences."""
        kind = "redundant" if self.redundancy >= REDUNDANT else "diverse"
        budget = "high" if self.covered >= HIGH_BUDGET else "low"
        why = {
            "random-regions": "a model that saw so little ranks a diverse pool no better than "
            "chance does",
            "uncertain-regions": "in a diverse pool the best single regions are different already",
            "diverse-regions": "in a redundant pool the most uncertain regions are all alike",
        }[self.strategy]
        help_from = " with consistency on unlabelled images" if self.unlabelled != "off" else ""
        return (
            f"The pool is {kind} (redundancy {self.redundancy:.2f} over {self.n_places} places, "
            f"from {REDUNDANT:.2f} on redundant) and the budget {budget} (labels will cover "
            f"{self.covered:.1%} of it, from {HIGH_BUDGET:.0%} on high). "
            f"Use {self.strategy}{help_from}: {why}."
        )


def redundancy_of(embeddings: NDArray[np.floating], rng: np.random.Generator) -> float:
    """Return the redundancy of places by their embeddings (N, D), 0 to 1."""
    if embeddings.ndim != 2 or len(embeddings) < LEAST_PLACES:
        raise BadInputError(
            f"redundancy needs {LEAST_PLACES} places or more, got {embeddings.shape}"
        )
    if not np.isfinite(embeddings).all():
        raise BadInputError("embeddings hold NaN or infinity; train the model again")
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    turned, spreads, _ = np.linalg.svd(centred, full_matrices=False)
    if spreads[0] <= 1e-9 * max(1.0, float(np.abs(embeddings).max())):
        return 1.0  # all places look the same
    kept = min(_COMPONENTS, int((spreads > 1e-3 * spreads[0]).sum()), len(embeddings) // 3)
    points = turned[:, :kept] * np.sqrt(len(embeddings))
    own = _mean_nearest(points)
    chance = np.mean([_mean_nearest(rng.permuted(points, axis=0)) for _ in range(_SHUFFLES)])
    return float(np.clip(1 - own / chance, 0, 1)) if chance > 0 else 1.0


def advise(redundancy: float, covered: float, *, n_places: int) -> Advice:
    """Return the recommendation for a pool of a redundancy, ``covered`` of it being labelled.

    Diverse and low: random, unlabelled images help. Diverse and high: single, they help.
    Redundant and low: batch. Redundant and high: batch, they help.
    """
    redundant, high = redundancy >= REDUNDANT, covered >= HIGH_BUDGET
    if redundant:
        strategy, unlabelled = "diverse-regions", "consistency" if high else "off"
    else:
        strategy = "uncertain-regions" if high else "random-regions"
        unlabelled = "consistency"
    return Advice(strategy, unlabelled, redundancy, n_places, covered)


def _mean_nearest(points: NDArray[np.float64]) -> float:
    squares = np.square(points).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return float(np.linalg.norm(points - points[nearest], axis=1).mean())
