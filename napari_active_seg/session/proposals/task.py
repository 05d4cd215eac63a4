"""Choose the regions to label next, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from napari_active_seg.acquisition import (
    LEARNED,
    BudgetTracker,
    Candidate,
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
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.prediction.task import (
    PredictionChoices,
    predict_images,
    predict_readable_images,
)
from napari_active_seg.session.proposals.advisor import advice_for
from napari_active_seg.session.proposals.cost_model import CostExamples, learn_cost
from napari_active_seg.session.proposals.explanations import Reasons
from napari_active_seg.session.proposals.inputs import ProposalChoices, read_proposal_inputs
from napari_active_seg.session.proposals.pool_reader import PoolReader
from napari_active_seg.session.proposals.region_reader import RegionReader
from napari_active_seg.session.proposals.selection import SelectionInputs, costed, select_regions
from napari_active_seg.session.task_context import TaskContext

__all__ = ["propose_from_part", "propose_regions"]


def propose_regions(task: TaskContext, choices: ProposalChoices) -> Proposal:
    """Choose regions of the pool; images without a prediction are predicted first."""
    return _Proposing(task, choices).proposal()


def propose_from_part(task: TaskContext, choices: ProposalChoices) -> Proposal | None:
    """Choose regions from a part of the pool; None where that part offers no region."""
    try:
        return propose_regions(task, choices)
    except NothingToDoError:
        return None


class _Proposing:
    """One proposal on its way."""

    def __init__(self, task: TaskContext, choices: ProposalChoices) -> None:
        self._task, self._choices = task, choices
        self._inputs = inputs = read_proposal_inputs(task.project, choices)
        self._stage = choices.stage
        self._kept_places = () if choices.stage is None else choices.stage.kept
        self._rng = np.random.default_rng((inputs.seed, inputs.round))
        self._notes: list[str] = []
        self._offered: SamplingFrame | None = None
        self._regions = RegionReader(task, inputs.key, inputs.model)
        self._strategy = self._check_strategy(inputs.strategy)
        self._reader = PoolReader(
            task, measure=inputs.strategy.measure, key=inputs.key, groups=inputs.groups
        )

    def proposal(self) -> Proposal:
        inputs = self._inputs
        if not inputs.pool:
            raise NothingToDoError("no image is in the pool; add images that are not set aside")
        self._predict()
        self._strategy = self._guided(self._strategy)
        learned = self._own_pace()
        drawn = self._drawn_shares()
        strategy = self._strategy_at_start()
        choice = SelectionInputs(
            strategy,
            self._pool_without([candidate.place for candidate, _ in drawn]),
            self._regions,
            inputs.cost,
            (*inputs.earlier.labelled, *self._kept_places),
            inputs.options,
            inputs.round,
            learned,
        )
        counts_clicks = inputs.budget.unit == "clicks"
        priced = costed(choice, [candidate for candidate, _ in drawn], clicks=counts_clicks)
        kept = costed(choice, self._kept(), clicks=counts_clicks)
        ledger = self._ledger(strategy, priced, kept)
        chosen = self._choose(choice, ledger)
        found = len(chosen) + len(priced) + len(kept)
        self._estimate_spend(ledger, learned, found)
        everything, kinds = [*chosen], [self._kind_of()] * len(chosen)
        if self._stage is None or self._stage.draws:
            everything += priced
            kinds += [kind for _, kind in drawn]
        in_clicks = learned is not None and learned.unit != "s"
        reasons = Reasons(
            self._regions,
            inputs.classes,
            () if inputs.model is None else inputs.earlier.labelled,
            guess=in_clicks or learned is None or learned.how == "guess",
            error=None if in_clicks or learned is None else learned.error,
        )
        self._task.report(0, 1, "comparing with what is labelled")
        scored = reasons.scored(tuple(zip(everything, kinds, strict=True)))
        return self._as_proposal(scored)

    def _choose(self, choice: SelectionInputs, ledger: BudgetTracker) -> tuple[Candidate, ...]:
        """Return what the strategy chooses; nothing where what is kept leaves nothing to pay."""
        try:
            chosen, self._offered = select_regions(choice, ledger, self._rng)
        except NothingToDoError:
            if not self._kept_places:
                raise
            chosen = ()
        self._check_readable()
        if not chosen and not self._kept_places:
            raise NothingToDoError(self._why_nothing())
        return chosen

    def _kept(self) -> list[Candidate]:
        """Return the places of the round that stay, as candidates."""
        groups = self._inputs.groups

        def patient_of(place: MaskedRegion) -> str:
            return groups.get(place.region.image_id) or place.region.image_id

        return [
            Candidate(place, 0.0, 0.0, patient=patient_of(place)) for place in self._kept_places
        ]

    # --- before the choice -----------------------------------------------------------------------

    def _check_strategy(self, strategy: Strategy) -> Strategy:
        """Return the strategy; ConfigError if its windows are larger than every image."""
        shapes = [ref.shape for ref in self._inputs.pool]
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
        """Predict the images that the strategy needs and that are not predicted yet."""
        inputs, strategy = self._inputs, self._strategy
        needs_prediction = inputs.cost.depends_on_prediction or strategy.cost in LEARNED
        needs_prediction = needs_prediction or inputs.budget.unit == "clicks" or strategy.auto
        if inputs.model is None or not inputs.unpredicted:
            return
        if not (strategy.uses_model or needs_prediction):
            return
        stage = self._stage
        choices = PredictionChoices(inputs.unpredicted, strategy.measure, model=inputs.model)
        if stage is None:
            predict_images(self._task, choices)
        else:
            choices = replace(choices, before=stage.before, note=stage.note)
            predict_readable_images(self._task, choices)

    def _own_pace(self) -> LearnedCost | None:
        pace = self._choices.own_pace
        if isinstance(pace, CostExamples):
            return learn_cost(self._task, pace)
        return pace

    def _guided(self, strategy: Strategy) -> Strategy:
        """Return the recommended strategy, where the strategy is ``auto``."""
        inputs = self._inputs
        if not strategy.auto or inputs.model is None:
            return strategy
        of_round = self._regions_wanted() * strategy.size**2
        advice = advice_for(
            tuple(self._reader.images(inputs.pool, inputs.taken, maps=False)),
            self._regions,
            size=strategy.size,
            covered_pixels=inputs.earlier.covered_pixels + of_round,
            seed=inputs.seed,
            report=self._task.report,
        )
        self._notes.append(advice.summary)
        draws, diversity = _OF_GUIDE[advice.strategy]
        return replace(strategy, auto=False, draws=draws, diversity=diversity)

    def _strategy_at_start(self) -> Strategy:
        """Return the strategy, or without a model one by features or by chance."""
        strategy = self._strategy
        if self._inputs.model is not None:
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
        if strategy.unit == "polygons" and self._inputs.model is not None:
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
        budget, strategy = self._inputs.budget, self._strategy
        size = strategy.size
        if budget.unit == "clicks":
            return max(1, int(budget.amount // 10))
        most = budget.most_regions(
            least_pixels=size**2, least_seconds=self._inputs.cost.least(size**2)
        )
        wanted = max(1, most or 1)
        if strategy.unit != "squares" or strategy.overlap:
            return wanted
        pixels = sum(height * width for height, width in (ref.shape for ref in self._inputs.pool))
        return max(1, min(wanted, pixels // size**2))

    def _pool_without(self, drawn: Sequence[MaskedRegion]) -> Callable[..., Iterator[PoolImage]]:
        inputs = self._inputs
        taken = (*inputs.taken, *drawn, *self._kept_places)
        stage = self._stage
        refs = [r for r in inputs.pool if stage is None or r.id in stage.ranked]

        def pool(*, maps: bool) -> Iterator[PoolImage]:
            with_maps = maps and inputs.model is not None
            return self._reader.images(refs, taken, maps=with_maps)

        return pool

    def _check_readable(self) -> None:
        """Raise the first problem where no image could be read at all."""
        problems = self._reader.problems
        if problems and len(problems) == len(self._inputs.pool):
            raise next(iter(problems.values()))

    # --- drawn shares ----------------------------------------------------------------------------

    def _drawn_shares(self) -> list[tuple[Candidate, RegionKind]]:
        """Return the squares for validation, test and control of this round."""
        inputs, strategy = self._inputs, self._strategy
        wanted = self._regions_wanted()
        plan, earlier = inputs.quotas, inputs.earlier
        found: list[tuple[Candidate, RegionKind]] = []
        for kind, tally, refs in (
            (RegionKind.VALIDATION, plan.validation, inputs.validation),
            (RegionKind.TEST, plan.test, inputs.test),
        ):
            due = validation_due(
                strategy.validation, earlier.proposed, tally, count=wanted - len(found)
            )
            if due and refs:
                images = list(self._reader.images(refs, inputs.taken, maps=False))
                found += [(one, kind) for one in self._draw(images, due)]
        if inputs.model is not None:
            due = control_due(
                strategy.control,
                earlier.with_model,
                earlier.controls,
                count=wanted - len(found),
            )
            if due:
                images = list(self._reader.images(inputs.pool, inputs.taken, maps=False))
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
        budget = self._inputs.budget
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
        if self._inputs.model is None:
            return RegionKind.INITIAL
        return RegionKind.RANDOM if self._strategy.is_chance else RegionKind.CHOSEN

    def _estimate_spend(
        self, ledger: BudgetTracker, learned: LearnedCost | None, found: int
    ) -> None:
        budget = self._inputs.budget
        of_budget = "" if budget.unit == "regions" else f" of a budget of {budget}"
        self._notes.append(f"to label: {ledger.spent.summary}{of_budget}")
        if learned is not None:
            self._notes.append(learned.summary)
        if budget.unit == "regions" and found < budget.amount:
            self._notes.append(f"{found} of {budget.amount:g} regions found room")
        stage, pool = self._stage, self._inputs.pool
        if stage is not None and len(stage.ranked) < len(pool):
            self._notes.append(f"chosen from the first {len(stage.ranked)} of {len(pool)} images")
        if self._reader.problems:
            self._notes.append(f"{len(self._reader.problems)} images could not be read")
        options = self._inputs.options
        if options is not None and options.fitted_calibration is not None:
            words = options.fitted_calibration.summary
            self._notes.append(f"predicted with calibrated probabilities: {words}")
        self._notes.append(self._inputs.quotas.summary)

    def _as_proposal(self, scored: Sequence[ScoredRegion]) -> Proposal:
        inputs = self._inputs
        name = inputs.strategy.name
        unit = inputs.budget.unit
        return Proposal(
            round=inputs.round,
            regions=tuple(scored),
            strategy=name,
            budget=int(inputs.budget.amount) if unit == "regions" else len(scored),
            seed=inputs.seed,
            model_id=None if inputs.model is None else inputs.model.id,
            config_hash=inputs.config_hash,
            notes=tuple(note for note in self._notes if note),
            offered=self._offered,
        )


#: How the strategies that the guide knows draw and spread.
_OF_GUIDE = {
    "random-regions": ("uniform", "none"),
    "uncertain-regions": ("none", "none"),
    "diverse-regions": ("none", "core-set"),
}
