"""Choose places by a strategy: gather candidates, put them in order, spend the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import (
    LEARNED,
    Aggregate,
    BudgetTracker,
    Candidate,
    ClassMaps,
    CostModel,
    LearnedCost,
    PoolImage,
    SamplingFrame,
    Search,
    Selector,
    Strategy,
    draw_windows,
    draw_windows_on_foreground,
    gather,
    pool_quantile,
    scatter_windows,
    standardise_features,
    value_per_cost,
)
from napari_active_seg.acquisition.selectors import (
    BatchBaldOrder,
    ClassBalanced,
    CoreSet,
    EvenlySpacedImages,
    FacilityLocation,
    ForegroundAwareRandom,
    Greedy,
    GumbelTopK,
    RandomImage,
    Stratified,
    annealed_inverse_temperature,
    power_logits,
    softmax_logits,
)
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.session.proposals.region_reader import RegionReader, group_by_image
from napari_active_seg.uncertainty import Prediction

__all__ = ["SelectionInputs", "costed", "select_regions"]

#: Number of candidates with joint samples.
_MOST_JOINT = 200
#: Number of places that are compared to cover the pool.
_MOST_LOOKED_AT = 1500
#: Number of random regions where the budget sets no number.
_MOST_DRAWN = 500
#: Number of regions that is expected of a budget without a number.
_GUESSED_REGIONS = 20


@dataclass(frozen=True, slots=True)
class SelectionInputs:
    """All that a choice goes by.

    ``pool`` yields the images again each time it is called, with their maps where ``maps`` is
    so. ``labelled`` are finished places, for what is unlike them; ``learned`` are a person's own
    seconds.
    """

    strategy: Strategy
    pool: Callable[..., Iterable[PoolImage]]
    reader: RegionReader
    cost: CostModel
    labelled: tuple[MaskedRegion, ...]
    plan: InferenceOptions | None
    round: int
    learned: LearnedCost | None = None


def select_regions(
    choice: SelectionInputs, ledger: BudgetTracker, rng: np.random.Generator
) -> tuple[tuple[Candidate, ...], SamplingFrame | None]:
    """Return the places in the order in which they were taken, as far as the budget goes.

    Beside them what they were drawn from, where they were.
    """
    strategy = choice.strategy
    if strategy.unit == "squares" and strategy.draws in ("uniform", "foreground"):
        candidates = _drawn(choice, ledger, rng)
        taken = _taken(candidates, Greedy(), ledger)
        evenly = bool(taken) and all(one.chance is not None for one in taken)
        return taken, SamplingFrame(taken[0].drawn_from, 0, 1.0) if evenly else None
    if strategy.diversity == "coverage" and strategy.draws == "none":
        return _covering(choice, ledger, rng), None
    candidates = _offered(choice, ledger, rng)
    order = _order(choice, candidates, ledger, rng)
    n_units = int(ledger.allowed(candidates, np.ones(len(candidates), bool)).sum())
    taken = _taken(candidates, order, ledger)
    if not taken or any(one.chance is None for one in taken):
        return taken, None
    return taken, SamplingFrame(n_units, order.count_unreachable(), _covered(choice, candidates))


def _covering(
    choice: SelectionInputs, ledger: BudgetTracker, rng: np.random.Generator
) -> tuple[Candidate, ...]:
    """Return places that together look like as much of the pool as possible."""
    strategy = choice.strategy
    if strategy.unit == "squares" and not strategy.uses_model:
        images = list(choice.pool(maps=False))
        places = scatter_windows(images, most=_MOST_LOOKED_AT, size=strategy.size, rng=rng)
        found = costed(choice, places, clicks=ledger.budget.unit == "clicks")
    else:
        found = _offered(choice, ledger, rng)[:_MOST_LOOKED_AT]
    seen = choice.reader.features([one.place for one in found] + list(choice.labelled))
    candidates = [one for index, one in enumerate(found) if index in seen]
    if not candidates:
        return ()
    labelled = [seen[i] for i in range(len(found), len(found) + len(choice.labelled)) if i in seen]
    vectors = standardise_features(
        np.array([seen[i] for i in range(len(found)) if i in seen] + labelled)
    )
    order = FacilityLocation(vectors[: len(candidates)], vectors[len(candidates) :])
    at = {candidate.place: index for index, candidate in enumerate(candidates)}
    return tuple(
        replace(one, stands_for=order.share_of(at[one.place]))
        for one in _taken(candidates, order, ledger, apart=not strategy.overlap)
    )


def _covered(choice: SelectionInputs, candidates: Sequence[Candidate]) -> float:
    """Return the share of the pool's free tissue that lies in a candidate."""
    of_image: dict[str, list[MaskedRegion]] = {}
    for candidate in candidates:
        of_image.setdefault(candidate.region.image_id, []).append(candidate.place)
    inside = free = 0.0
    for image in choice.pool(maps=False):
        free += image.tissue_pixels()
        inside += image.tissue_pixels(of_image.get(image.image_id, ()))
    return min(inside / free, 1.0) if free > 0 else 1.0


def _taken(
    candidates: Sequence[Candidate], order: Selector, ledger: BudgetTracker, *, apart: bool = False
) -> tuple[Candidate, ...]:
    """Take one after the other until nothing is left that the budget allows.

    With ``apart``, candidates that overlap each other are not both taken.
    """
    left = np.ones(len(candidates), bool)
    beside = dict(group_by_image([one.place for one in candidates])) if apart else {}
    chosen: list[Candidate] = []
    while True:
        allowed = ledger.allowed(candidates, left)
        if not allowed.any():
            break
        index = order.pick(allowed)
        left[index] = False
        ledger.take(candidates[index])
        place = candidates[index].place
        for other in beside.get(place.region.image_id, ()):
            left[other] &= not candidates[other].place.overlaps(place)
        chosen.append(
            _with_chance(candidates[index], order.selection_probability(index, allowed), allowed)
        )
    if candidates and not chosen:
        _check_budget(candidates, ledger)
    return tuple(chosen)


def _with_chance(
    candidate: Candidate, chance: float | None, allowed: NDArray[np.bool_]
) -> Candidate:
    """Return a candidate that an order drew with how probable that was."""
    if chance is None or candidate.drawn_from:
        return candidate
    return replace(candidate, drawn_from=int(allowed.sum()), chance=chance)


def _check_budget(candidates: Sequence[Candidate], ledger: BudgetTracker) -> None:
    unit = ledger.budget.unit
    single = [BudgetTracker(ledger.budget) for _ in candidates]
    for one, candidate in zip(single, candidates, strict=True):
        one.take(candidate)
    least = min(one.spent.in_unit(unit) for one in single)
    raise NothingToDoError(
        f"a budget of {ledger.budget} buys no region: the cheapest takes {least:.3g} {unit}. "
        "Give more, or use smaller regions"
    )


def _drawn(
    choice: SelectionInputs, ledger: BudgetTracker, rng: np.random.Generator
) -> tuple[Candidate, ...]:
    """Return squares drawn at random, with their costs."""
    strategy, pool = choice.strategy, list(choice.pool(maps=False))
    limited = strategy.limits_images or ledger.budget.unit != "regions"
    count = _MOST_DRAWN if limited else int(ledger.budget.amount) - ledger.spent.regions
    if strategy.draws == "foreground":
        shapes = {image.image_id: image.map_shape for image in pool}

        def classes_of(image_id: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            prediction = choice.reader.load_prediction(image_id)
            return (
                np.zeros(shapes[image_id], np.uint8) if prediction is None else prediction.classes
            )

        drawn = draw_windows_on_foreground(
            pool, count=max(count, 1), size=strategy.size, rng=rng, classes_of=classes_of
        )
    else:
        drawn = draw_windows(
            pool,
            count=max(count, 1),
            size=strategy.size,
            rng=rng,
            spread=strategy.per_image_share > 0,
        )
    return costed(choice, drawn, clicks=ledger.budget.unit == "clicks")


def _offered(
    choice: SelectionInputs, ledger: BudgetTracker, rng: np.random.Generator
) -> tuple[Candidate, ...]:
    """Return the candidates by value: the best share of them, where they are spread or priced."""
    strategy = choice.strategy
    learned = strategy.cost in LEARNED and choice.learned is not None
    searched = replace(strategy, beta=0.0) if learned else strategy
    most = ledger.budget.most_regions(
        least_pixels=strategy.size**2 if strategy.unit == "squares" else 1,
        least_seconds=0.0 if learned else choice.cost.least(1),
    )
    limited = strategy.limits_images
    exactly = ledger.budget.unit == "regions"
    search = Search(
        searched,
        _aggregate(choice),
        choice.cost,
        most=None if strategy.needs_all_candidates or most is None else max(most, 1),
        prunes=not limited and exactly,
        limited=limited,
        counts_clicks=ledger.budget.unit == "clicks",
        needs_classes=strategy.diversity in ("stratified", "class-balanced")
        or strategy.draws == "foreground",
    )
    candidates = gather(choice.pool(maps=strategy.uses_model), search, rng)
    if learned or (strategy.diversity != "none" and strategy.share < 1):
        kept = max(int(np.ceil(strategy.share * len(candidates))), 3 * (most or 1))
        if strategy.per_image_share > 0:
            wanted = most or _GUESSED_REGIONS
            kept = _kept_of_enough_images(candidates, kept, strategy.per_image_share, wanted)
        candidates = candidates[:kept]
    return _repriced(choice, candidates) if learned else candidates


def _kept_of_enough_images(
    candidates: Sequence[Candidate], kept: int, share: float, wanted: int
) -> int:
    """Return how many of the best candidates to keep so that their images can fill a round.

    No image gives more than ``share`` of the round. Three times as many places as are ``wanted``
    leave something to choose from.
    """
    each, of_image, usable = max(1, int(share * wanted + 1e-9)), Counter[str](), 0
    for number, candidate in enumerate(candidates):
        if number >= kept and usable >= 3 * wanted:
            return number
        of_image[candidate.region.image_id] += 1
        usable += of_image[candidate.region.image_id] <= each
    return len(candidates)


def _repriced(choice: SelectionInputs, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return candidates at a person's own seconds, by I^alpha / C^beta."""
    if choice.learned is None or not candidates:
        return tuple(candidates)
    strategy = choice.strategy
    spent = choice.learned.of(choice.reader.cost_inputs([c.place for c in candidates]))
    information = np.array([candidate.information for candidate in candidates])
    values = value_per_cost(information, spent, alpha=strategy.alpha, beta=strategy.beta)
    priced = [
        replace(_at(candidate, float(cost), choice.learned), value=float(value))
        for candidate, cost, value in zip(candidates, spent, values, strict=True)
    ]
    return tuple(sorted(priced, key=lambda candidate: -candidate.value))


def _at(candidate: Candidate, spent: float, learned: LearnedCost) -> Candidate:
    """Return a candidate at what it is expected to take, in the unit that was learned."""
    if learned.unit == "clicks":
        return replace(candidate, clicks=spent)
    return replace(candidate, seconds=spent)


def costed(
    choice: SelectionInputs, drawn: Sequence[Candidate], *, clicks: bool = False
) -> tuple[Candidate, ...]:
    """Return places that were drawn with what they should cost."""
    places = [candidate.place for candidate in drawn]
    looks = clicks or choice.cost.depends_on_prediction
    found = list(drawn)
    for image_id, indices in group_by_image(places):
        prediction = choice.reader.load_prediction(image_id) if looks else None
        whole = prediction is not None and prediction.step == 1
        seen = ClassMaps(partial(_classes, prediction, None)) if whole else None
        for index in indices:
            place = places[index]
            if not whole:  # a slide, or nothing predicted: the place alone
                region = place.region
                seen = ClassMaps(partial(_classes, prediction, region))
                place = MaskedRegion(Region.whole(region.image_id, region.shape), place.shape)
            assert seen is not None
            found[index] = replace(
                drawn[index],
                seconds=choice.cost.of(place, seen),
                clicks=seen.clicks(place) if clicks else 0.0,
            )
    if choice.strategy.cost not in LEARNED or choice.learned is None:
        return tuple(found)
    spent = choice.learned.of(choice.reader.cost_inputs(places))
    pairs = zip(found, spent, strict=True)
    return tuple(_at(candidate, float(cost), choice.learned) for candidate, cost in pairs)


def _classes(prediction: Prediction | None, region: Region | None) -> NDArray[np.uint8]:
    """Return the predicted classes of an image, or of a region of it; 0 without a prediction."""
    if prediction is None:
        return np.zeros((1, 1) if region is None else region.shape, np.uint8)
    return prediction.classes if region is None else prediction.crop_classes(region)


def _aggregate(choice: SelectionInputs) -> Aggregate:
    strategy = choice.strategy
    if strategy.aggregate == "count":
        images = iter(choice.pool(maps=True))
        first = next(images, None)
        return Aggregate("count", strategy.threshold * (1.0 if first is None else first.bound))
    if strategy.aggregate == "top":
        maps = ((image.unlabelled_uncertainty(), image.step**2) for image in choice.pool(maps=True))
        return Aggregate("top", pool_quantile(maps, strategy.top))
    return Aggregate(strategy.aggregate)


def _order(
    choice: SelectionInputs,
    candidates: Sequence[Candidate],
    ledger: BudgetTracker,
    rng: np.random.Generator,
) -> Selector:
    """Return the selector of the strategy."""
    strategy = choice.strategy
    if not candidates:
        return Greedy()
    if strategy.draws != "none":
        most = ledger.budget.most_regions(least_pixels=1, least_seconds=choice.cost.least(1))
        return _by_chance(strategy.draws, candidates, most or len(candidates), rng)
    if strategy.diversity in ("core-set", "batch-bald"):
        return _by_sight(choice, candidates, rng)
    values = np.array([candidate.value for candidate in candidates])
    if strategy.diversity == "power":
        return GumbelTopK(power_logits(values, strategy.inverse_temperature), rng)
    if strategy.diversity == "softmax":
        return GumbelTopK(softmax_logits(values, strategy.inverse_temperature), rng)
    if strategy.diversity == "stratified":
        inverse_temperature = strategy.inverse_temperature * annealed_inverse_temperature(
            choice.round
        )
        return Stratified(candidates, inverse_temperature, rng)
    return ClassBalanced(candidates) if strategy.diversity == "class-balanced" else Greedy()


def _by_chance(
    draws: str, candidates: Sequence[Candidate], most: int, rng: np.random.Generator
) -> Selector:
    """Return the order of a way of drawing."""
    if draws == "uniform":
        return GumbelTopK(np.zeros(len(candidates)), rng)
    if draws == "foreground":
        return ForegroundAwareRandom(candidates, rng)
    if draws == "even":
        return EvenlySpacedImages(candidates, most)
    return RandomImage(candidates, rng, best=draws == "image")


def _by_sight(
    choice: SelectionInputs, candidates: Sequence[Candidate], rng: np.random.Generator
) -> Selector:
    """Return a selector that runs the model on each candidate again."""
    places = [candidate.place for candidate in candidates]
    if choice.strategy.diversity == "core-set":
        seen = choice.reader.embeddings([*places, *choice.labelled])
        return CoreSet(seen[: len(places)], seen[len(places) :], rng)
    if choice.plan is None:
        return Greedy()
    few = places[:_MOST_JOINT]
    return _OfFirst(BatchBaldOrder(choice.reader.mc_samples(few, choice.plan), rng), len(few))


class _OfFirst(Selector):
    """An order over the first candidates alone; by value once none of them may be taken."""

    def __init__(self, order: Selector, n: int) -> None:
        self._order, self._n = order, n

    def pick(self, allowed: NDArray[np.bool_]) -> int:
        """Return the next among the first, as long as there is one."""
        first = allowed[: self._n]
        return self._order.pick(first) if first.any() else int(np.argmax(allowed))
