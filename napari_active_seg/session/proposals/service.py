"""What to label next: proposals, recommended strategies, and the learned cost of regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Literal, Unpack, overload

from napari_active_seg.acquisition import (
    LEARNED,
    Budget,
    CostModel,
    EvaluationQuotas,
    LearnedCost,
    Proposal,
    RegionKind,
    Strategy,
    StrategyAdvice,
    StrategyParts,
)
from napari_active_seg.errors import ConfigError, NothingToDoError
from napari_active_seg.jobs import JobKind, Work
from napari_active_seg.jobs.queue import JobRequest
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import RegionState
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.navigation import Navigator
from napari_active_seg.session.proposals.advisor import advise_on_pool
from napari_active_seg.session.proposals.cost_model import CostExamples, learn_cost
from napari_active_seg.session.proposals.cost_model_cache import CostModelCache
from napari_active_seg.session.proposals.inputs import (
    ProposalChoices,
    chosen_strategy,
    evaluation_quotas,
)
from napari_active_seg.session.proposals.staged import StagedProposal, images_of_first_stage
from napari_active_seg.session.proposals.task import propose_regions
from napari_active_seg.session.task_context import TaskContext

__all__ = ["ProposalService"]

#: Number of further regions after which the pace is learned again.
_AGAIN_AFTER = 5


class ProposalService:
    """Chooses regions for the queue, and learns how long regions take a person."""

    def __init__(
        self, ctx: SessionContext, navigation: Navigator, *, cost: CostModel | None = None
    ) -> None:
        self._ctx, self._navigation, self._cost = ctx, navigation, cost
        self._costs = CostModelCache(ctx.project)
        self.latest: Proposal | None = None  #: the latest of this session

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the latest proposal."""
        return self._ctx.project.regions.last_notes()

    @property
    def learned_cost(self) -> LearnedCost | None:
        """The learned cost of this person's regions; None until it is needed."""
        return self._costs.latest

    def plan(self) -> EvaluationQuotas:
        """Return how many squares for control, validation and test there are and are needed."""
        return evaluation_quotas(self._ctx.project)

    def strategy(
        self,
        strategy: str | Strategy | None = None,
        *,
        changes: Mapping[str, str] | None = None,
        **parts: Unpack[StrategyParts],
    ) -> Strategy:
        """Return the strategy that ``propose`` would use with these arguments."""
        return chosen_strategy(
            self._ctx.project, strategy, shown=self._ctx.state.measure, changes=changes, **parts
        )

    @overload
    def propose(
        self,
        *,
        count: int | None = ...,
        budget: Budget | str | None = ...,
        strategy: str | Strategy | None = ...,
        seed: int | None = ...,
        changes: Mapping[str, str] | None = ...,
        wait: Literal[True] = ...,
        **parts: Unpack[StrategyParts],
    ) -> Proposal: ...
    @overload
    def propose(
        self,
        *,
        count: int | None = ...,
        budget: Budget | str | None = ...,
        strategy: str | Strategy | None = ...,
        seed: int | None = ...,
        changes: Mapping[str, str] | None = ...,
        wait: Literal[False],
        **parts: Unpack[StrategyParts],
    ) -> Future[Proposal]: ...
    def propose(
        self,
        *,
        count: int | None = None,
        budget: Budget | str | None = None,
        strategy: str | Strategy | None = None,
        seed: int | None = None,
        changes: Mapping[str, str] | None = None,
        wait: bool = True,
        **parts: Unpack[StrategyParts],
    ) -> Proposal | Future[Proposal]:
        """Choose regions of pool images and put them into the queue.

        Without a model, regions are chosen by the strategy's part ``first``: by default those
        that together look most like all of the pool. In a window the first regions come before all
        images are predicted, where the strategy ranks: see ``StagedProposal``.

        Parameters
        ----------
        count
            Number of regions; by default the project's.
        budget
            In place of ``count``: regions, pixels, clicks or minutes, such as ``"10min"``.
        strategy
            Name or file of a strategy, or a strategy; by default the project's.
        seed
            Seed of the random choices; by default the project's seed and the round.
        changes
            Parts of the strategy to change, as text.
        wait
            Whether to return the result; otherwise its future is returned at once.
        **parts
            Parts of the strategy to change, such as ``size=128`` or ``measure="bald"``.

        Returns
        -------
        Proposal
            The chosen regions, each with its score, its cost and the reason.

        Raises
        ------
        ConfigError
            If the strategy or one of its parts is not known.
        NothingToDoError
            If no region is left, or the budget buys none.
        """
        chosen = self.strategy(strategy, changes=changes, **parts)
        if count is not None and count < 1:
            raise ConfigError(f"count must be 1 or more, got {count}")
        asked = Budget.parse(budget) if isinstance(budget, str) else budget
        if asked is None:
            asked = Budget(self._ctx.project.config.regions_per_round if count is None else count)

        choices = ProposalChoices(chosen, asked, seed, self._cost)
        staged: list[StagedProposal] = []

        def prepare() -> Work[Proposal | None]:
            now = replace(choices, own_pace=self._own_pace(chosen, asked))
            ctx = self._ctx
            first = images_of_first_stage(ctx.project, now) if ctx.follows_screen else None
            task: Callable[[TaskContext], Proposal | None] = partial(propose_regions, choices=now)
            if first is not None:
                staged.append(self._staged(now, first))
                task = staged[0].first_task()
            return ctx.work(task)

        def deliver(proposal: Proposal | None) -> Proposal:
            if staged or proposal is None:
                return staged[0].take_first(proposal)
            self._add(proposal)
            return proposal

        request = JobRequest(JobKind.PROPOSE, prepare, deliver, queueable=True, picklable=True)
        future = self._ctx.submit(request)
        return future.result() if wait else future

    def _own_pace(self, strategy: Strategy, budget: Budget) -> LearnedCost | CostExamples | None:
        """Return what this person's own regions took, where the strategy weighs it."""
        if strategy.cost not in LEARNED:
            return None
        unit = "clicks" if budget.unit == "clicks" else "s"
        return self._costs.known_or_examples(how=strategy.cost, unit=unit)

    def _add(self, proposal: Proposal, *, replaces: bool = False) -> tuple[QueuedRegion, ...]:
        """Put a proposal into the queue; go to its first region unless it replaces others."""
        project = self._ctx.project
        project.predictions.forget()
        queued = project.regions.add_proposal(proposal)
        self.latest = proposal
        self._ctx.update(queue=project.regions.queue(), predicted=self._ctx.predicted())
        state = self._ctx.state
        current = state.region
        is_painted = current is not None and current.state is RegionState.IN_PROGRESS
        if queued and not (replaces or is_painted or state.region_id in state.unsaved):
            self._navigation.to_region(queued[0].id)
        return queued

    def _staged(self, choices: ProposalChoices, first: tuple[str, ...]) -> StagedProposal:
        return StagedProposal(
            self._ctx,
            choices,
            first,
            untouched=self.untouched,
            withdraw=self._withdraw,
            add=self._add,
        )

    def _withdraw(self, region_ids: Sequence[str]) -> tuple[str, ...]:
        """Take chosen regions that nobody has touched out of the queue; return which went."""
        annotator = self._ctx.project.config.annotator
        return self._ctx.project.regions.withdraw(region_ids, annotator=annotator)

    def untouched(self) -> tuple[str, ...]:
        """Return the chosen regions of the latest round that are neither touched nor current."""
        state = self._ctx.state
        taken = state.unsaved | {state.region_id}
        return tuple(
            queued.id
            for queued in state.queue
            if queued.round == state.round
            and queued.kind is RegionKind.CHOSEN
            and queued.state is RegionState.PROPOSED
            and queued.id not in taken
        )

    @overload
    def reselect(
        self,
        strategy: str | Strategy | None = ...,
        *,
        wait: Literal[True] = ...,
        **parts: Unpack[StrategyParts],
    ) -> Proposal: ...
    @overload
    def reselect(
        self,
        strategy: str | Strategy | None = ...,
        *,
        wait: Literal[False],
        **parts: Unpack[StrategyParts],
    ) -> Future[Proposal]: ...
    def reselect(
        self,
        strategy: str | Strategy | None = None,
        *,
        wait: bool = True,
        **parts: Unpack[StrategyParts],
    ) -> Proposal | Future[Proposal]:
        """Replace the regions that nobody has touched by those that a strategy chooses.

        Images that are predicted are not predicted again: their stored moments are ranked by
        another measure or cost. Random regions and those that a person has begun stay.
        NothingToDoError where all were touched, or there is no model.
        """
        parts = {**parts, "control": 0.0, "validation": 0.0}
        chosen = self.strategy(strategy, **parts)
        if self._ctx.state.model is None or not self.untouched():
            raise NothingToDoError(
                "no waiting region can be replaced: there is none that a model chose and nobody "
                "has touched"
            )
        replaced: list[str] = []

        def prepare() -> Work[Proposal]:
            replaced[:] = self.untouched()
            if not replaced:
                raise NothingToDoError("every region was touched meanwhile; nothing is replaced")
            budget = Budget(len(replaced))
            choices = ProposalChoices(
                chosen,
                budget,
                cost=self._cost,
                own_pace=self._own_pace(chosen, budget),
                instead_of=tuple(replaced),
            )
            task = partial(propose_regions, choices=choices)
            return self._ctx.work(task)

        def deliver(proposal: Proposal) -> Proposal:
            free = set(replaced) & set(self.untouched())
            if not free:
                return replace(proposal, regions=())
            gone = self._withdraw([i for i in replaced if i in free])
            kept = replace(proposal, regions=proposal.regions[: len(gone)])
            self._add(kept, replaces=True)
            return kept

        request = JobRequest(JobKind.RESELECT, prepare, deliver, queueable=True, picklable=True)
        future = self._ctx.submit(request)
        return future.result() if wait else future

    @overload
    def recommend(self, *, size: int | None = ..., wait: Literal[True] = ...) -> StrategyAdvice: ...
    @overload
    def recommend(
        self, *, size: int | None = ..., wait: Literal[False]
    ) -> Future[StrategyAdvice]: ...
    def recommend(
        self, *, size: int | None = None, wait: bool = True
    ) -> StrategyAdvice | Future[StrategyAdvice]:
        """Measure the pool and recommend a strategy; NothingToDoError without a model."""
        if self._ctx.state.model is None:
            raise NothingToDoError(
                "strategies are compared by what a model predicts, and there is none yet; label a "
                "few regions that were drawn at random and train first"
            )

        future = self._ctx.run(
            JobKind.RECOMMEND,
            partial(advise_on_pool, size=size),
            lambda advice: advice,
            writes=False,
        )
        return future.result() if wait else future

    @overload
    def learn_cost(self, *, wait: Literal[True] = ...) -> LearnedCost: ...
    @overload
    def learn_cost(self, *, wait: Literal[False]) -> Future[LearnedCost]: ...
    def learn_cost(self, *, wait: bool = True) -> LearnedCost | Future[LearnedCost]:
        """Learn how long regions take from those that this person finished."""

        def deliver(learned: LearnedCost) -> LearnedCost:
            self._costs.take(learned)
            self._ctx.update(pace=learned.summary)
            return learned

        def prepare() -> Work[LearnedCost]:
            examples = self._costs.examples(how=self._how() or "learned")
            return self._ctx.work(partial(learn_cost, given=examples))

        request = JobRequest(JobKind.LEARN_COST, prepare, deliver, queueable=True)
        future = self._ctx.submit(request, writes=False)
        return future.result() if wait else future

    def update_pace(self) -> None:
        """Learn again where the project weighs own seconds and there are enough new ones."""
        state = self._ctx.state
        if state.read_only or self._how() is None or JobKind.LEARN_COST in state.jobs:
            return
        if self._costs.n_examples() >= self._costs.n_learned + _AGAIN_AFTER:
            self.learn_cost(wait=False)

    def _how(self) -> str | None:
        """Return how the project's strategy learns costs; None where it does not."""
        cost = chosen_strategy(self._ctx.project, None).cost
        return cost if cost in LEARNED else None
