"""Candidates of a whole pool, the best first, from images that are searched one by one.

What is taken of one image changes nothing in another, so the greedy choice over all images is the
merge of the greedy choices within each. An image is read, searched and forgotten, and searched
no further than what could still be among the best of all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.aggregation import Aggregate
from napari_active_seg.acquisition.candidate_units import get_candidate_regions
from napari_active_seg.acquisition.cost import ClassMaps, CostModel, value_per_cost
from napari_active_seg.acquisition.pool_image import Candidate, PoolImage
from napari_active_seg.acquisition.slide_search import (
    coarse_cost,
    coarse_image,
    coarse_strategy,
    coarse_window_of,
    fine_candidate,
)
from napari_active_seg.acquisition.strategy import Strategy
from napari_active_seg.acquisition.windows import TIE, find_best_windows, score_windows
from napari_active_seg.regions import MaskedRegion

__all__ = ["MOST_CANDIDATES", "Search", "gather"]

#: No more candidates than this are offered to a choice, the best of all.
MOST_CANDIDATES = 5000


@dataclass(frozen=True, slots=True)
class Search:
    """The parameters of a search: the number of candidates (None: all), and their attributes.

    ``prunes`` lets a search end early within an image, once enough better ones are known from the
    others; limits for images or patients forbid that. Where they are ``limited``, ``most`` is how
    many candidates each image gives, since not all of the best may be taken.
    """

    strategy: Strategy
    aggregate: Aggregate
    cost: CostModel
    most: int | None = None
    prunes: bool = True
    limited: bool = False
    counts_clicks: bool = False
    needs_classes: bool = False


def gather(
    pool: Iterable[PoolImage], search: Search, rng: np.random.Generator
) -> tuple[Candidate, ...]:
    """Return the candidates of the pool by value, ties by a seeded draw over all images."""
    most = min(search.most or MOST_CANDIDATES, MOST_CANDIDATES)
    sequences: list[Sequence[Candidate]] = []
    best: list[float] = []  # a heap of the highest values so far

    def least_value() -> float:
        enough = search.prunes and len(best) == most
        return best[0] - TIE * abs(best[0]) if enough else -np.inf

    for image in pool:
        found: list[Candidate] = []
        for candidate in _of_image(image, search, rng, least_value):
            if len(found) == most or candidate.value < least_value():
                break
            found.append(candidate)
            if search.prunes:
                push = heapq.heappushpop if len(best) == most else heapq.heappush
                push(best, candidate.value)
        if found:
            sequences.append(found)
    return tuple(_merge(sequences, MOST_CANDIDATES if search.limited else most, rng))


def _of_image(
    image: PoolImage,
    search: Search,
    rng: np.random.Generator,
    least_value: Callable[[], float],
) -> Iterator[Candidate]:
    """Yield the candidates of one image, the best first; of a slide as its map shows them."""
    if image.step == 1:
        window = (search.strategy.size, search.strategy.step)
        yield from _on_map(image, search, window, rng, least_value)
        return
    strategy, step = search.strategy, image.step
    window = coarse_window_of(strategy, step)
    coarse = replace(
        search,
        cost=coarse_cost(search.cost, strategy, step),
        strategy=strategy if strategy.unit == "squares" else coarse_strategy(strategy, step),
    )
    # Sums on the map are smaller than those that the other images are compared by.
    for found in _on_map(coarse_image(image), coarse, window, rng, lambda: -np.inf):
        yield fine_candidate(found, image, strategy, search.aggregate)


def _on_map(
    image: PoolImage,
    search: Search,
    window: tuple[int, int],
    rng: np.random.Generator,
    least_value: Callable[[], float],
) -> Iterator[Candidate]:
    """Yield the candidates of an image as large as its map; squares by size and stride."""
    strategy = search.strategy
    seen = ClassMaps(lambda: image.classes)
    if strategy.unit == "squares":
        grid = score_windows(
            image,
            *window,
            aggregate=search.aggregate,
            cost=search.cost,
            seen=seen,
            alpha=strategy.alpha,
            beta=strategy.beta,
            overlap=strategy.overlap,
        )
        for pick in find_best_windows(grid, rng, overlap=strategy.overlap, least_value=least_value):
            place = MaskedRegion(pick.region)
            yield _candidate(image, place, pick.information, pick.value, seen, search, pick.tied)
        return
    values = None if image.uncertainty is None else image.finite_uncertainty()
    found = [
        _score_candidates(image, values, place, clicks, seen, search)
        for place, clicks in get_candidate_regions(image, strategy)
    ]
    chance = rng.permutation(len(found))
    for index in sorted(range(len(found)), key=lambda i: (-found[i].value, chance[i])):
        tied = sum(other.value == found[index].value for other in found)
        yield replace(found[index], tied=tied)


def _score_candidates(
    image: PoolImage,
    values: NDArray[np.float32] | None,
    place: MaskedRegion,
    clicks: float | None,
    seen: ClassMaps,
    search: Search,
) -> Candidate:
    """Return a place of any shape with its information, cost and value."""
    strategy = search.strategy
    information = 0.0
    if values is not None:
        information = search.aggregate.of_pixels(values[place.region.slices][place.mask])
    made = _candidate(image, place, information, 0.0, seen, search, 1)
    if clicks is not None:
        made = replace(made, clicks=clicks)
    cost = made.seconds if strategy.beta > 0 else 1.0
    value = value_per_cost(np.array([information]), cost, alpha=strategy.alpha, beta=strategy.beta)
    return replace(made, value=float(value[0]))


def _candidate(
    image: PoolImage,
    place: MaskedRegion,
    information: float,
    value: float,
    seen: ClassMaps,
    search: Search,
    tied: int,
) -> Candidate:
    probs: tuple[float, ...] = ()
    class_values: tuple[float, ...] = ()
    if search.needs_classes and image.mean_probs is not None and image.uncertainty is not None:
        rows, columns = place.region.slices
        inside = place.mask
        at = image.mean_probs[:, rows, columns][:, inside]
        probs = tuple(float(p) for p in at.mean(axis=1, dtype=np.float64))
        unsure = image.uncertainty[rows, columns][inside]
        class_values = tuple(search.aggregate.of_pixels(unsure * p) for p in at)
    return Candidate(
        place,
        information,
        value,
        seconds=search.cost.of(place, seen),
        clicks=seen.clicks(place) if search.counts_clicks else 0.0,
        patient=image.patient,
        tied=tied,
        probs=probs,
        class_values=class_values,
    )


def _merge(
    sequences: Sequence[Sequence[Candidate]], most: int, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield the best candidates over all images, with ties in random order."""
    at = [0] * len(sequences)
    heads = np.array([sequence[0].value for sequence in sequences])
    for _ in range(most):
        highest = float(heads.max(initial=-np.inf))
        if highest == -np.inf:
            return
        tied = np.flatnonzero(heads >= highest - TIE * abs(highest))
        index = int(tied[0])
        if len(tied) > 1:
            weights = np.array([float(sequences[i][at[i]].tied) for i in tied.tolist()])
            index = int(rng.choice(tied, p=weights / weights.sum()))
        yield sequences[index][at[index]]
        at[index] += 1
        over = at[index] == len(sequences[index])
        heads[index] = -np.inf if over else sequences[index][at[index]].value
