"""Choose the regions to label next, each with its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import (
    LEARNED,
    Budget,
    BudgetTracker,
    Candidate,
    CostModel,
    EvaluationQuotas,
    LearnedCost,
    PoolImage,
    Proposal,
    RegionKind,
    SamplingFrame,
    ScoredRegion,
    Strategy,
    control_due,
    draw_windows,
    validation_due,
)
from napari_active_seg.errors import ConfigError, NothingToDoError
from napari_active_seg.images import ImageRef, ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.prediction.cache_key import model_of
from napari_active_seg.session.prediction.task import (
    PredictRequest,
    predict_images,
    predict_readable_images,
)
from napari_active_seg.session.proposals.advisor import advice_for
from napari_active_seg.session.proposals.cost_model import LearnCostRequest, learn_cost
from napari_active_seg.session.proposals.explanations import Reasons
from napari_active_seg.session.proposals.pool_reader import PoolReader
from napari_active_seg.session.proposals.region_reader import RegionReader
from napari_active_seg.session.proposals.selection import SelectionInputs, costed, select_regions
from napari_active_seg.uncertainty import Prediction

__all__ = ["Earlier", "ProposeRequest", "propose_from_part", "propose_regions"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was proposed before: how many regions at all, how many with a model, controls of them.

    ``labelled`` are finished places of the pool, the latest last; ``covered_pixels`` they cover.
    """

    proposed: int = 0
    with_model: int = 0
    controls: int = 0
    labelled: tuple[MaskedRegion, ...] = ()
    covered_pixels: int = 0


@dataclass(frozen=True, slots=True)
class ProposeRequest:
    """The pool, what is taken of it, and how to choose from the rest.

    ``validation`` and ``audit`` are images that are never trained on. ``predict`` is None while
    there is no model; the regions are then those that cover the pool by their looks, or are drawn
    at random. ``own_pace`` is what a person's own
    regions took, learned or to be learned from.

    A round may be proposed in stages. ``ranked`` are then the images that regions are chosen from,
    and None stands for all. ``kept`` are places of this round that stay: nothing is chosen there,
    and they are paid out of the budget. Without ``draws`` squares for control, validation and audit
    are drawn, so that nothing is chosen where they lie, and left out of the proposal.
    """

    pool: tuple[ImageRef, ...]
    validation: tuple[ImageRef, ...]
    audit: tuple[ImageRef, ...]
    groups: Mapping[str, str | None]
    taken: tuple[MaskedRegion, ...]
    earlier: Earlier
    drawn_plan: EvaluationQuotas
    open_source: Callable[[str], ImageSource]
    load_tissue: Callable[[str], NDArray[np.bool_]]
    load_prediction: Callable[[str], Prediction | None]
    predict: PredictRequest | None
    strategy: Strategy
    classes: tuple[str, ...]
    cost: CostModel
    own_pace: LearnedCost | LearnCostRequest | None
    budget: Budget
    round: int
    seed: int
    ranked: frozenset[str] | None = None
    kept: tuple[MaskedRegion, ...] = ()
    draws: bool = True

    @property
    def config_hash(self) -> str:
        """A hash of everything that decides the choice but the images themselves."""
        facts = {
            "strategy": asdict(self.strategy),
            "cost": asdict(self.cost),
            "budget": asdict(self.budget),
            "sampling": self.predict.plan.as_facts() if self.predict else None,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def propose_regions(
    request: ProposeRequest, token: CancelToken, report: ProgressCallback
) -> Proposal:
    """Return the proposal; images without a prediction are predicted first."""
    return _Proposing(request, token, report).proposal()


def propose_from_part(
    request: ProposeRequest, token: CancelToken, report: ProgressCallback
) -> Proposal | None:
    """Return the proposal from a part of the pool; None where that part offers no region."""
    try:
        return propose_regions(request, token, report)
    except NothingToDoError:
        return None


class _Proposing:
    """One proposal on its way."""

    def __init__(
        self, request: ProposeRequest, token: CancelToken, report: ProgressCallback
    ) -> None:
        self._request, self._token, self._report = request, token, report
        self._rng = np.random.default_rng((request.seed, request.round))
        self._notes: list[str] = []
        self._offered: SamplingFrame | None = None
        predict = request.predict
        self._looker = RegionReader(
            request.open_source,
            request.load_prediction,
            token.check,
            None if predict is None else predict.load_segmenter,
        )
        self._strategy = self._check_strategy(request.strategy)
        self._reader = PoolReader(
            measure=request.strategy.measure,
            groups=request.groups,
            open_source=request.open_source,
            load_tissue=request.load_tissue,
            load_prediction=request.load_prediction,
            token=token,
            report=report,
        )

    def proposal(self) -> Proposal:
        request = self._request
        if not request.pool:
            raise NothingToDoError("no image is in the pool; add images that are not set aside")
        self._predict()
        self._strategy = self._guided(self._strategy)
        learned = self._own_pace()
        drawn = self._drawn_shares()
        strategy = self._strategy_at_start()
        choice = SelectionInputs(
            strategy,
            self._pool_without([candidate.place for candidate, _ in drawn]),
            self._looker,
            request.cost,
            (*request.earlier.labelled, *request.kept),
            None if request.predict is None else request.predict.plan,
            request.round,
            learned,
        )
        counts_clicks = request.budget.unit == "clicks"
        priced = costed(choice, [candidate for candidate, _ in drawn], clicks=counts_clicks)
        kept = costed(choice, self._kept(), clicks=counts_clicks)
        ledger = self._ledger(strategy, priced, kept)
        chosen = self._choose(choice, ledger)
        found = len(chosen) + len(priced) + len(kept)
        self._estimate_spend(ledger, learned, found)
        everything, kinds = [*chosen], [self._kind_of()] * len(chosen)
        if request.draws:
            everything += priced
            kinds += [kind for _, kind in drawn]
        in_clicks = learned is not None and learned.unit != "s"
        reasons = Reasons(
            self._looker,
            request.classes,
            () if request.predict is None else request.earlier.labelled,
            guess=in_clicks or learned is None or learned.how == "guess",
            error=None if in_clicks or learned is None else learned.error,
        )
        self._report(0, 1, "comparing with what is labelled")
        scored = reasons.scored(tuple(zip(everything, kinds, strict=True)))
        return self._as_proposal(scored)

    def _choose(self, choice: SelectionInputs, ledger: BudgetTracker) -> tuple[Candidate, ...]:
        """Return what the strategy chooses; nothing where what is kept leaves nothing to pay."""
        try:
            chosen, self._offered = select_regions(choice, ledger, self._rng)
        except NothingToDoError:
            if not self._request.kept:
                raise
            chosen = ()
        self._check_readable()
        if not chosen and not self._request.kept:
            raise NothingToDoError(self._why_nothing())
        return chosen

    def _kept(self) -> list[Candidate]:
        """Return the places of the round that stay, as candidates."""
        groups = self._request.groups

        def patient_of(place: MaskedRegion) -> str:
            return groups.get(place.region.image_id) or place.region.image_id

        return [
            Candidate(place, 0.0, 0.0, patient=patient_of(place)) for place in self._request.kept
        ]

    # --- before the choice -----------------------------------------------------------------------

    def _check_strategy(self, strategy: Strategy) -> Strategy:
        """Return the strategy; ConfigError if its windows are larger than every image."""
        shapes = [ref.shape for ref in self._request.pool]
        if strategy.unit == "squares" and shapes:
            height, width = (max(lengths) for lengths in zip(*shapes, strict=True))
            if strategy.size > height and strategy.size > width:
                raise ConfigError(
                    f"a size of {strategy.size} is larger than every image of the pool, of at most "
                    f"{height} x {width}; use regions of {max(height, width)} or less, or whole "
                    "images"
                )
        return strategy

    def _predict(self) -> None:
        """Predict what the strategy asks about and nobody predicted yet."""
        predict, strategy = self._request.predict, self._strategy
        looks = self._request.cost.looks_at_prediction or strategy.cost in LEARNED
        looks = looks or self._request.budget.unit == "clicks" or strategy.auto
        if predict is not None and predict.image_ids and (strategy.asks_model or looks):
            run = predict_images if self._request.ranked is None else predict_readable_images
            run(predict, self._token, self._report)

    def _own_pace(self) -> LearnedCost | None:
        pace = self._request.own_pace
        if isinstance(pace, LearnCostRequest):
            return learn_cost(pace, self._token, self._report)
        return pace

    def _guided(self, strategy: Strategy) -> Strategy:
        """Return the strategy that the guide recommends, where it is asked."""
        request = self._request
        if not strategy.auto or request.predict is None:
            return strategy
        of_round = self._regions_wanted() * strategy.size**2
        advice = advice_for(
            tuple(self._reader.images(request.pool, request.taken, maps=False)),
            self._looker,
            size=strategy.size,
            covered_pixels=request.earlier.covered_pixels + of_round,
            seed=request.seed,
            report=self._report,
        )
        self._notes.append(advice.summary)
        draws, diversity = _OF_GUIDE[advice.strategy]
        return replace(strategy, auto=False, draws=draws, diversity=diversity)

    def _strategy_at_start(self) -> Strategy:
        """Return the strategy, or without a model one that asks looks or chance."""
        strategy = self._strategy
        if self._request.predict is not None:
            return strategy
        unit = "images" if strategy.unit == "polygons" else strategy.unit
        by_chance = strategy.is_chance or strategy.first == "random"
        return replace(
            strategy,
            unit=unit,
            draws="uniform" if by_chance else "none",
            diversity="none" if by_chance else "coverage",
            beta=0.0,
            aggregate="mean",
        )

    def _why_nothing(self) -> str:
        """Return why no place was found, and what to do."""
        strategy = self._strategy
        if strategy.unit == "polygons" and self._request.predict is not None:
            return (
                f"no area of any size lies above a threshold of {strategy.threshold:g} of the "
                "highest uncertainty; give a lower one (--set threshold=0.3), or label squares"
            )
        return (
            "no free place is left for a region: everything is labelled or queued. "
            "Use smaller regions, or add images"
        )

    def _regions_wanted(self) -> int:
        """Return about how many regions the budget buys, and the pool has room for."""
        budget, strategy = self._request.budget, self._strategy
        size = strategy.size
        if budget.unit == "clicks":
            return max(1, int(budget.amount // 10))
        most = budget.most_regions(
            least_pixels=size**2, least_seconds=self._request.cost.least(size**2)
        )
        wanted = max(1, most or 1)
        if strategy.unit != "squares" or strategy.overlap:
            return wanted
        pixels = sum(height * width for height, width in (ref.shape for ref in self._request.pool))
        return max(1, min(wanted, pixels // size**2))

    def _pool_without(self, drawn: Sequence[MaskedRegion]) -> Callable[..., Iterator[PoolImage]]:
        request = self._request
        taken = (*request.taken, *drawn, *request.kept)
        refs = [r for r in request.pool if request.ranked is None or r.id in request.ranked]

        def pool(*, maps: bool) -> Iterator[PoolImage]:
            with_maps = maps and request.predict is not None
            return self._reader.images(refs, taken, maps=with_maps)

        return pool

    def _check_readable(self) -> None:
        """Raise the first problem where no image could be read at all."""
        problems = self._reader.problems
        if problems and len(problems) == len(self._request.pool):
            raise next(iter(problems.values()))

    # --- drawn shares ----------------------------------------------------------------------------

    def _drawn_shares(self) -> list[tuple[Candidate, RegionKind]]:
        """Return the squares for validation, audit and control of this round."""
        request, strategy = self._request, self._strategy
        wanted = self._regions_wanted()
        plan, earlier = request.drawn_plan, request.earlier
        found: list[tuple[Candidate, RegionKind]] = []
        for kind, tally, refs in (
            (RegionKind.VALIDATION, plan.validation, request.validation),
            (RegionKind.AUDIT, plan.audit, request.audit),
        ):
            due = validation_due(
                strategy.validation, earlier.proposed, tally, count=wanted - len(found)
            )
            if due and refs:
                images = list(self._reader.images(refs, request.taken, maps=False))
                found += [(one, kind) for one in self._draw(images, due)]
        if request.predict is not None:
            due = control_due(
                strategy.control,
                earlier.with_model,
                earlier.controls,
                count=wanted - len(found),
            )
            if due:
                images = list(self._reader.images(request.pool, request.taken, maps=False))
                found += [(one, RegionKind.CONTROL) for one in self._draw(images, due)]
        return found

    def _draw(self, images: Sequence[PoolImage], count: int) -> tuple[Candidate, ...]:
        strategy = self._strategy
        return draw_windows(
            images,
            count=count,
            size=strategy.size,
            rng=self._rng,
            spread=strategy.per_image_share > 0,
        )

    def _ledger(
        self, strategy: Strategy, drawn: Sequence[Candidate], kept: Sequence[Candidate]
    ) -> BudgetTracker:
        """Return the budget with what was drawn and what is kept paid."""
        budget = self._request.budget
        paid = BudgetTracker(budget)
        for candidate in drawn:
            paid.take(candidate)
        ledger = BudgetTracker(
            budget,
            spent=paid.spent,
            per_image=strategy.per_image,
            per_patient=strategy.per_patient,
            per_image_share=0.0 if strategy.draws_squares else strategy.per_image_share,
            overlap=strategy.overlap,
            drawn=drawn,
        )
        for candidate in kept:
            ledger.take(candidate)
        return ledger

    # --- after the choice ------------------------------------------------------------------------

    def _kind_of(self) -> RegionKind:
        if self._request.predict is None:
            return RegionKind.INITIAL
        return RegionKind.RANDOM if self._strategy.is_chance else RegionKind.CHOSEN

    def _estimate_spend(
        self, ledger: BudgetTracker, learned: LearnedCost | None, found: int
    ) -> None:
        budget = self._request.budget
        of_budget = "" if budget.unit == "regions" else f" of a budget of {budget}"
        self._notes.append(f"to label: {ledger.spent.summary}{of_budget}")
        if learned is not None:
            self._notes.append(learned.summary)
        if budget.unit == "regions" and found < budget.amount:
            self._notes.append(f"{found} of {budget.amount:g} regions found room")
        ranked, pool = self._request.ranked, self._request.pool
        if ranked is not None and len(ranked) < len(pool):
            self._notes.append(f"chosen from the first {len(ranked)} of {len(pool)} images")
        if self._reader.problems:
            self._notes.append(f"{len(self._reader.problems)} images could not be read")
        predict = self._request.predict
        if predict is not None and predict.plan.fitted_calibration is not None:
            words = predict.plan.fitted_calibration.summary
            self._notes.append(f"asked with calibrated probabilities: {words}")
        self._notes.append(self._request.drawn_plan.summary)

    def _as_proposal(self, scored: Sequence[ScoredRegion]) -> Proposal:
        request = self._request
        name = request.strategy.name
        unit = request.budget.unit
        return Proposal(
            round=request.round,
            regions=tuple(scored),
            strategy=name,
            budget=int(request.budget.amount) if unit == "regions" else len(scored),
            seed=request.seed,
            model_id=model_of(request.predict.model_id) if request.predict else None,
            config_hash=request.config_hash,
            notes=tuple(note for note in self._notes if note),
            offered=self._offered,
        )


#: How the strategies that the guide knows draw and spread.
_OF_GUIDE = {
    "random-regions": ("uniform", "none"),
    "uncertain-regions": ("none", "none"),
    "diverse-regions": ("none", "core-set"),
}
