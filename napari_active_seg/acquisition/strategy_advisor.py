"""Which strategy suits a pool and a budget, after Table 8 of the realistic evaluation.

Redundancy is how much nearer places lie to their nearest neighbour than they would if nothing but
the spread along each direction were known: embeddings are turned onto their principal components,
scaled to the same spread, and compared with a reference in which each component is shuffled over
the places independently.

    redundancy = 1 - mean nearest distance / mean nearest distance of the shuffled reference

0 is a pool without any likeness beyond chance, 1 one of exact copies of places.

Copies of images need another figure: of two places that are drawn out of a large pool
neither is likely to show what the other does. But they follow each other by name.

    likeness = 1 - mean distance to the nearest of its run / to the nearest of as many others

0 is a pool in which the next image is as unlike as any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["StrategyAdvice", "group_sequences", "measure_redundancy", "recommend", "similarity"]

#: From here on a pool counts as redundant, by its places, or by images that follow each other.
REDUNDANT, ALIKE = 0.5, 0.2
#: From here on labels cover enough of the pool to count as a high budget.
HIGH_BUDGET = 0.05
#: Least number of places for a recommendation.
LEAST_PLACES = 12
_COMPONENTS, _SHUFFLES = 8, 5
#: Images of a run, and the least number of runs.
RUN, LEAST_RUNS = 5, 4
_OTHERS = 20


@dataclass(frozen=True, slots=True)
class StrategyAdvice:
    """A strategy, whether unlabelled images should help to train, and why.

    ``likeness`` is None where there are too few images.
    """

    strategy: str
    unlabelled: str
    redundancy: float
    n_places: int
    covered: float
    likeness: float | None = None

    @property
    def summary(self) -> str:
        """What was measured, and what follows, in two sentences."""
        kind = "redundant" if _is_redundant(self.redundancy, self.likeness) else "diverse"
        likeness = (
            ""
            if self.likeness is None
            else f"; neighbours by name {self.likeness:.0%} nearer than other images, from "
            f"{ALIKE:.0%} on"
        )
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
            f"from {REDUNDANT:.2f} on redundant{likeness}) and the budget {budget} (labels will "
            f"cover {self.covered:.1%} of it, from {HIGH_BUDGET:.0%} on high). "
            f"Use {self.strategy}{help_from}: {why}."
        )


def measure_redundancy(embeddings: NDArray[np.floating], rng: np.random.Generator) -> float:
    """Return the redundancy of places by their embeddings (N, D), 0 to 1."""
    if embeddings.ndim != 2 or len(embeddings) < LEAST_PLACES:
        raise BadInputError(
            f"redundancy needs {LEAST_PLACES} places or more, got {embeddings.shape}"
        )
    _check_finite(embeddings)
    points = _of_like_spread(embeddings)
    if points is None:
        return 1.0  # all places look the same
    own = _mean_nearest(points)
    chance = np.mean([_mean_nearest(rng.permuted(points, axis=0)) for _ in range(_SHUFFLES)])
    return float(np.clip(1 - own / chance, 0, 1)) if chance > 0 else 1.0


def group_sequences(
    names: Sequence[str], *, most: int, rng: np.random.Generator
) -> tuple[tuple[str, ...], ...]:
    """Return runs of five names that follow each other, ``most`` names in all, no name twice.

    Numbers in names go by their value: 9 comes before 10. What is over at the end is left out.
    """
    ordered = sorted(names, key=_by_number)
    drawn = rng.permutation(len(ordered) // RUN)[: most // RUN]
    return tuple(tuple(ordered[RUN * k : RUN * (k + 1)]) for k in sorted(drawn.tolist()))


def similarity(embeddings: NDArray[np.floating], rng: np.random.Generator) -> float:
    """Return how much nearer images (N, D) lie to the nearest of their run than of others, 0 to 1.

    Every five rows are a run.
    """
    if embeddings.ndim != 2 or len(embeddings) % RUN or len(embeddings) < RUN * LEAST_RUNS:
        raise BadInputError(f"likeness needs {LEAST_RUNS} runs or more, got {embeddings.shape}")
    _check_finite(embeddings)
    points = _of_like_spread(embeddings)
    if points is None:
        return 1.0
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    run = np.arange(len(points)) // RUN
    near, far = [], []
    for index, row in enumerate(apart):
        own = (run == run[index]) & (np.arange(len(points)) != index)
        near.append(row[own].min())
        draws = [rng.choice(row[run != run[index]], RUN - 1, replace=False) for _ in range(_OTHERS)]
        far.append(np.min(draws, axis=1).mean())
    return float(np.clip(1 - np.mean(near) / np.mean(far), 0, 1)) if np.mean(far) > 0 else 1.0


def recommend(
    redundancy: float, covered: float, *, n_places: int, likeness: float | None = None
) -> StrategyAdvice:
    """Return the recommendation for a pool of a redundancy, ``covered`` of it being labelled.

    Diverse and low: random, unlabelled images help. Diverse and high: single, they help.
    Redundant and low: batch. Redundant and high: batch, they help.
    """
    redundant, high = _is_redundant(redundancy, likeness), covered >= HIGH_BUDGET
    if redundant:
        strategy, unlabelled = "diverse-regions", "consistency" if high else "off"
    else:
        strategy = "uncertain-regions" if high else "random-regions"
        unlabelled = "consistency"
    return StrategyAdvice(strategy, unlabelled, redundancy, n_places, covered, likeness)


def _is_redundant(redundancy: float, likeness: float | None) -> bool:
    return redundancy >= REDUNDANT or (likeness is not None and likeness >= ALIKE)


def _by_number(name: str) -> tuple[tuple[int, str], ...]:
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _check_finite(embeddings: NDArray[np.floating]) -> None:
    if not np.isfinite(embeddings).all():
        raise BadInputError("embeddings hold NaN or infinity; train the model again")


def _of_like_spread(embeddings: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Return embeddings on their principal components, each of deviation 1; None if all are one."""
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    turned, spreads, _ = np.linalg.svd(centred, full_matrices=False)
    if spreads[0] <= 1e-9 * max(1.0, float(np.abs(embeddings).max())):
        return None
    kept = min(_COMPONENTS, int((spreads > 1e-3 * spreads[0]).sum()), len(embeddings) // 3)
    points: NDArray[np.float64] = turned[:, :kept] * np.sqrt(len(embeddings))
    return points


def _mean_nearest(points: NDArray[np.float64]) -> float:
    squares = np.square(points).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return float(np.linalg.norm(points - points[nearest], axis=1).mean())
