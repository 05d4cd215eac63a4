"""In which order candidates are taken: by value, by chance, by class, or far from each other.

Each selector returns one candidate at a time among those that still may be taken, so that
budgets and limits for images and patients go with every one of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.batch_bald import BatchBald
from napari_active_seg.acquisition.coverage import Coverage
from napari_active_seg.acquisition.k_centre import KCentre
from napari_active_seg.acquisition.pool_image import Candidate

__all__ = [
    "BatchBaldOrder",
    "ClassBalanced",
    "CoreSet",
    "EvenlySpacedImages",
    "FacilityLocation",
    "ForegroundAwareRandom",
    "Greedy",
    "GumbelTopK",
    "RandomImage",
    "Selector",
    "Stratified",
    "annealed_inverse_temperature",
    "power_logits",
    "softmax_logits",
]

#: Two thirds of a batch of ClaSP PE go by class.
STRATIFIED_SHARE = 2 / 3
#: Number of rounds over which its inverse temperature grows from 1 to 100.
_ROUNDS, _COLDEST = 10, 100.0


class Selector(ABC):
    """Takes candidates one by one."""

    @abstractmethod
    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the index of the next among the ``allowed``; it is taken then."""

    def selection_probability(self, index: int, allowed: NDArray[np.bool_]) -> float | None:
        """Return with which probability it was that one; None where nothing was drawn.

        To be called after it was picked from the same ``allowed``.
        """
        return None

    def count_unreachable(self) -> int:
        """Return how many candidates no draw could take; 0 where nothing is drawn."""
        return 0


class Greedy(Selector):
    """The first that is allowed: candidates come by value, ties drawn."""

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the best that is allowed."""
        return int(np.argmax(allowed))


class GumbelTopK(Selector):
    """Draws in proportion to e^logit, without putting back.

    The highest of logits plus Gumbel noise is such a draw, and the next highest one of the rest.
    """

    def __init__(self, logits: NDArray[np.float64], rng: np.random.Generator) -> None:
        self._logits = logits
        self._keys = logits + rng.gumbel(size=len(logits))

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the next; the first of those that have no chance, where only such are left."""
        keys = np.where(allowed, self._keys, -np.inf)
        best = int(np.argmax(keys))
        return best if allowed[best] else int(np.argmax(allowed))

    def selection_probability(self, index: int, allowed: NDArray[np.bool_]) -> float | None:
        """Return e^logit over the sum of those that were allowed."""
        logits = self._logits[allowed]
        highest = logits.max()
        if not np.isfinite(highest):
            return None
        return float(np.exp(self._logits[index] - highest) / np.exp(logits - highest).sum())

    def count_unreachable(self) -> int:
        """Return how many have a chance of 0, in the digits of a float."""
        with np.errstate(invalid="ignore"):
            chances = np.exp(self._logits - self._logits.max())
        return int(np.count_nonzero(~(chances > 0)))


def power_logits(values: NDArray[np.float64], inverse_temperature: float) -> NDArray[np.float64]:
    """Return ``inverse_temperature * log v``, for draws in proportion to v^inverse_temperature.

    PowerBALD (Kirsch et al. 2023), with the noise on the score of a place, not on its pixels. An
    inverse temperature of 0 draws uniformly; of values of 0 only where nothing else is left.
    """
    if inverse_temperature == 0:
        return np.zeros(len(values))
    with np.errstate(divide="ignore"):
        logits: NDArray[np.float64] = inverse_temperature * np.log(values)
    return logits


def softmax_logits(values: NDArray[np.float64], inverse_temperature: float) -> NDArray[np.float64]:
    """Return ``inverse_temperature * v``, v being divided by the highest value."""
    highest = float(values.max(initial=0.0)) or 1.0
    logits: NDArray[np.float64] = inverse_temperature * values / highest
    return logits


def annealed_inverse_temperature(round_number: int) -> float:
    """Return the inverse temperature of ClaSP PE in a round: 1 at first, 100 from round 10."""
    progress = min(max(round_number - 1, 0), _ROUNDS - 1) / (_ROUNDS - 1)
    return float(_COLDEST**progress)


class Stratified(Selector):
    """ClaSP PE: two of three for a class in turn, by the class's share of the value, and noise.

    The value of class c is the aggregate of u(x) p_c(x) over the place. Every third one goes by
    the value alone, with the same noise.
    """

    def __init__(
        self, candidates: Sequence[Candidate], inverse_temperature: float, rng: np.random.Generator
    ) -> None:
        by_class = np.array([candidate.class_values for candidate in candidates])
        values = np.array([candidate.value for candidate in candidates])
        self._of_class = [
            GumbelTopK(power_logits(column, inverse_temperature), rng) for column in by_class.T
        ]
        self._plain = GumbelTopK(power_logits(values, inverse_temperature), rng)
        self._last = self._plain
        self._turn = rng.permutation(by_class.shape[1])
        self._taken = self._by_class = 0

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the next: for a class in turn, or by the value."""
        due = int((self._taken + 1) * STRATIFIED_SHARE + 1e-9) > self._by_class
        self._taken += 1
        self._last = self._plain
        if due:
            self._last = self._of_class[int(self._turn[self._by_class % len(self._turn)])]
            self._by_class += 1
        return self._last.pick(allowed)

    def selection_probability(self, index: int, allowed: NDArray[np.bool_]) -> float | None:
        """Return the chance in the draw that it came from."""
        return self._last.selection_probability(index, allowed)

    def count_unreachable(self) -> int:
        """Return how many had no chance in the draw where most had none."""
        return max(draw.count_unreachable() for draw in (*self._of_class, self._plain))


class ClassBalanced(Selector):
    """Predicted classes in turn, the rarest first, the best of each."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._classes = np.array([int(np.argmax(c.probs)) for c in candidates])
        there, counts = np.unique(self._classes, return_counts=True)
        self._turn = [int(k) for k in there[np.argsort(counts, kind="stable")]]
        self._next = 0

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the best of the class whose turn it is; of the next where none is left."""
        for _ in self._turn:
            which = self._turn[self._next % len(self._turn)]
            self._next += 1
            of_class = allowed & (self._classes == which)
            if of_class.any():
                return int(np.argmax(of_class))
        return int(np.argmax(allowed))


class CoreSet(Selector):
    """Each the furthest from all that is labelled or taken before."""

    def __init__(
        self,
        points: NDArray[np.floating],
        labelled: NDArray[np.floating],
        rng: np.random.Generator,
    ) -> None:
        self._centres, self._rng = KCentre(points, labelled), rng

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the furthest that is allowed."""
        index = self._centres.find_furthest(allowed, self._rng)
        self._centres.add(index)
        return index


class FacilityLocation(Selector):
    """Each what stands for most that nothing labelled or taken before stands for."""

    def __init__(self, points: NDArray[np.floating], labelled: NDArray[np.floating]) -> None:
        self._coverage = Coverage(points, labelled)

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the allowed one that brings all others nearest."""
        index = int(np.argmax(np.where(allowed, self._coverage.gains(), -1.0)))
        self._coverage.add(index)
        return index

    def share_of(self, index: int) -> float:
        """Return the share of all candidates that one of those taken stands for."""
        return self._coverage.share_of(index)


class BatchBaldOrder(Selector):
    """Greedy BatchBALD: each candidate adds the most joint information."""

    def __init__(self, samples: NDArray[np.floating], rng: np.random.Generator) -> None:
        self._batch = BatchBald(samples, rng)

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the allowed one that adds most."""
        index = int(np.argmax(np.where(allowed, self._batch.gains(), -np.inf)))
        self._batch.add(index)
        return index


class EvenlySpacedImages(Selector):
    """Images at even steps through the pool in the order of their names, the best of each."""

    def __init__(self, candidates: Sequence[Candidate], steps: int) -> None:
        self._of = np.array([c.region.image_id for c in candidates])
        names = sorted(set(self._of.tolist()))
        places = np.linspace(0, len(names), max(steps, 1), endpoint=False).astype(int)
        at_steps = [names[place] for place in dict.fromkeys(places.tolist())]
        self._turn = [*at_steps, *(name for name in names if name not in set(at_steps))]
        self._next = 0

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the best of the next image."""
        for _ in self._turn:
            name = self._turn[self._next % len(self._turn)]
            self._next += 1
            there = allowed & (self._of == name)
            if there.any():
                return int(np.argmax(there))
        return int(np.argmax(allowed))


class RandomImage(Selector):
    """An image at random, and of it the best place, or any."""

    def __init__(
        self, candidates: Sequence[Candidate], rng: np.random.Generator, *, best: bool
    ) -> None:
        self._of = np.array([c.region.image_id for c in candidates])
        self._rng, self._best = rng, best

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return a place of an image that was drawn among those with places left."""
        name = self._rng.choice(np.unique(self._of[allowed]))
        there = np.flatnonzero(allowed & (self._of == name))
        return int(there[0] if self._best else self._rng.choice(there))

    def selection_probability(self, index: int, allowed: NDArray[np.bool_]) -> float | None:
        """Return the chance of its image, times that of the place where any was taken."""
        images = len(np.unique(self._of[allowed]))
        places = 1 if self._best else int((allowed & (self._of == self._of[index])).sum())
        return 1 / (images * places)

    def count_unreachable(self) -> int:
        """Return how many were not the best of their image, where only that is taken."""
        return len(self._of) - len(np.unique(self._of)) if self._best else 0


class ForegroundAwareRandom(Selector):
    """At random, two of three among the places that are foreground on the whole."""

    def __init__(
        self, candidates: Sequence[Candidate], rng: np.random.Generator, share: float = 2 / 3
    ) -> None:
        self._foreground = np.array([int(np.argmax(c.probs)) > 0 for c in candidates])
        self._rng, self._share, self._taken = rng, share, 0

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return a place drawn on foreground, or anywhere."""
        before, self._taken = self._taken, self._taken + 1
        due = int(self._taken * self._share + 1e-9) > int(before * self._share + 1e-9)
        there = np.flatnonzero(allowed & self._foreground) if due else np.empty(0, np.intp)
        return int(self._rng.choice(there if len(there) else np.flatnonzero(allowed)))
