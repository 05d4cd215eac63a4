"""What to label next: proposals, the guide, and what a person's own seconds tell of cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

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
)
from napari_active_seg.errors import ConfigError, NothingToDoError
from napari_active_seg.jobs.queue import JobRequest, Work
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.project import Project, QueuedRegion, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session.prediction.cache_key import predicted_images
from napari_active_seg.session.prediction.model_cache import ModelCache
from napari_active_seg.session.prediction.requests import predict_request
from napari_active_seg.session.prediction.task import PredictRequest
from napari_active_seg.session.proposals.advisor import advise_on_pool
from napari_active_seg.session.proposals.cost_model import learn_cost
from napari_active_seg.session.proposals.cost_model_cache import CostModelCache
from napari_active_seg.session.proposals.requests import (
    chosen_strategy,
    drawn_plan,
    guide_request,
    propose_request,
)
from napari_active_seg.session.proposals.staged import (
    PROPOSING,
    StagedProposal,
    images_of_first_stage,
)
from napari_active_seg.session.proposals.task import ProposeRequest, propose_regions
from napari_active_seg.session.state import SessionState

__all__ = ["ProposalService"]

#: Own seconds are learned from again after so many more regions.
_AGAIN_AFTER = 5
_LEARNING = "learning your pace"


class ProposalService:
    """Orders proposals and keeps what a person's seconds tell; ``apply`` takes a proposal in."""

    def __init__(
        self,
        project: Project,
        shelf: ModelCache,
        segmenters: SegmenterFactory,
        state: Callable[[], SessionState],
        *,
        order: Callable[..., None],
        on_proposal: Callable[..., tuple[QueuedRegion, ...]],
        on_pace: Callable[[str], None],
        cost: CostModel | None = None,
        in_stages: bool = False,
    ) -> None:
        self._in_stages = in_stages
        self._project, self._shelf = project, shelf
        self._state, self._order = state, order
        self._on_proposal, self._on_pace = on_proposal, on_pace
        self._cost = cost
        self._costs = CostModelCache(project, segmenters)
        self.latest: Proposal | None = None  #: the latest of this session

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said of the latest proposal."""
        return self._project.regions.last_notes()

    @property
    def learned_cost(self) -> LearnedCost | None:
        """What is known of this person's seconds; None until it was asked for."""
        return self._costs.latest

    def plan(self) -> EvaluationQuotas:
        """Return how many squares for control, validation and audit there are and are needed."""
        return drawn_plan(self._project)

    def strategy(
        self,
        name: str | Strategy | None = None,
        *,
        changes: Mapping[str, str] | None = None,
        **parts: object,
    ) -> Strategy:
        """Return the strategy that a proposal with these words would ask: see ``propose``."""
        return chosen_strategy(
            self._project, name, shown=self._state().measure, changes=changes, **parts
        )

    def propose(
        self,
        *,
        count: int | None = None,
        budget: Budget | str | None = None,
        strategy: str | Strategy | None = None,
        seed: int | None = None,
        changes: Mapping[str, str] | None = None,
        **parts: object,
    ) -> None:
        """Choose places of pool images and put them into the queue.

        ``budget`` is a number of regions, pixels, clicks or minutes, such as ``"10min"``; ``count``
        one of regions. ``parts`` are parts of the strategy that are to be other than it says, by
        name; ``changes`` are the same in words. Without a model places are chosen as the strategy's
        part ``first`` says: by default those that together look most like all of the pool.

        In a window the first regions come before all images are predicted, where the strategy
        ranks: see ``StagedProposal``.
        """
        chosen = self.strategy(strategy, changes=changes, **parts)
        if count is not None and count < 1:
            raise ConfigError(f"count must be 1 or more, got {count}")
        asked = Budget.parse(budget) if isinstance(budget, str) else budget
        if asked is None:
            asked = Budget(self._project.config.regions_per_round if count is None else count)

        staged: list[StagedProposal] = []

        def prepare() -> Work:
            request = propose_request(
                self._project,
                predict=self._predict(chosen),
                strategy=chosen,
                cost=self._cost,
                budget=asked,
                seed=seed,
                costs=self._costs,
            )
            first = images_of_first_stage(request) if self._in_stages else None
            if first is None:
                return partial(propose_regions, request)
            staged.append(self._staged(request, first))
            return staged[0].first_work()

        def deliver(result: object) -> None:
            if staged:
                staged[0].take_first(result)
            else:
                self._proposed(result)

        self._order(JobRequest(PROPOSING, prepare, deliver, queueable=True, picklable=True))

    def _staged(self, request: ProposeRequest, first: tuple[str, ...]) -> StagedProposal:
        return StagedProposal(
            request,
            first,
            order=self._order,
            untouched=self.untouched,
            withdraw=self._withdraw,
            add=self._on_proposal,
            current=lambda: self._predict(request.strategy),
        )

    def _withdraw(self, region_ids: Sequence[str]) -> tuple[str, ...]:
        """Take chosen regions that nobody has touched out of the queue; return which went."""
        annotator = self._project.config.annotator
        return self._project.regions.withdraw(region_ids, annotator=annotator)

    def untouched(self) -> tuple[str, ...]:
        """Return the chosen regions of the latest round that nobody has touched or has in hand."""
        state = self._state()
        taken = state.unsaved | {state.region_id}
        return tuple(
            queued.id
            for queued in state.queue
            if queued.round == state.round
            and queued.kind is RegionKind.CHOSEN
            and queued.state is RegionState.PROPOSED
            and queued.id not in taken
        )

    def reselect(self, strategy: str | Strategy | None = None, **parts: object) -> None:
        """Let ``strategy`` choose in place of the regions that nobody has touched.

        Nothing is predicted anew for images that were: what their passes left is ranked by another
        measure or cost. Regions that were drawn, begun or are in hand stay. NothingToDoError where
        all were touched, or there is no model.
        """
        parts = {**parts, "control": 0.0, "validation": 0.0}
        chosen = self.strategy(strategy, changes=None, **parts)
        if self._state().model is None or not self.untouched():
            raise NothingToDoError(
                "no waiting region could be chosen anew: a model chose none that nobody has touched"
            )
        replaced: list[str] = []

        def prepare() -> Work:
            replaced[:] = self.untouched()
            if not replaced:
                raise NothingToDoError("every region was touched meanwhile; nothing is chosen anew")
            request = propose_request(
                self._project,
                predict=self._predict(chosen),
                strategy=chosen,
                cost=self._cost,
                budget=Budget(len(replaced)),
                seed=None,
                costs=self._costs,
                instead_of=replaced,
            )
            return partial(propose_regions, request)

        def deliver(result: object) -> None:
            if isinstance(result, Proposal):
                free = set(replaced) & set(self.untouched())
                if free:
                    gone = self._withdraw([i for i in replaced if i in free])
                    regions = result.regions[: len(gone)]
                    self._on_proposal(replace(result, regions=regions), replaces=True)

        order = JobRequest("choosing anew", prepare, deliver, queueable=True, picklable=True)
        self._order(order, writes=True)

    def guide(
        self, *, on_advice: Callable[[StrategyAdvice], None], size: int | None = None
    ) -> None:
        """Measure the pool and recommend a strategy; NothingToDoError without a model."""
        if self._state().model is None:
            raise NothingToDoError(
                "the guide compares what a model sees, and there is none yet; label a few "
                "regions that were drawn at random and train first"
            )

        def prepare() -> Work:
            predict = self._predict(chosen_strategy(self._project, None, size=size))
            if predict is None:
                raise NothingToDoError("there is no model yet")
            return partial(advise_on_pool, guide_request(self._project, predict, size=size))

        def deliver(result: object) -> None:
            if isinstance(result, StrategyAdvice):
                on_advice(result)

        order = JobRequest("looking at the pool", prepare, deliver, queueable=True, picklable=True)
        self._order(order, writes=False)

    def learn_cost(self) -> None:
        """Learn from what this person's regions took, for proposals and to be shown."""

        def prepare() -> Work:
            return partial(learn_cost, self._costs.request(how=self._how() or "learned"))

        def deliver(result: object) -> None:
            if isinstance(result, LearnedCost):
                self._costs.take(result)
                self._on_pace(result.summary)

        self._order(JobRequest(_LEARNING, prepare, deliver, queueable=True), writes=False)

    def update_pace(self) -> None:
        """Learn anew where the project weighs own seconds and there are enough more of them."""
        state = self._state()
        if state.read_only or self._how() is None or _LEARNING in state.jobs:
            return
        if self._costs.n_examples() >= self._costs.n_learned + _AGAIN_AFTER:
            self.learn_cost()

    def _how(self) -> str | None:
        """Return how the project's strategy learns costs; None where it does not."""
        cost = chosen_strategy(self._project, None).cost
        return cost if cost in LEARNED else None

    def _predict(self, strategy: Strategy) -> PredictRequest | None:
        model = self._state().model
        if model is None:
            return None
        pool = [ref.id for ref in self._project.images.all(Split.POOL)]
        known = predicted_images(self._project, pool, strategy.measure)
        return predict_request(
            self._project,
            model,
            partial(self._shelf.segmenter, model),
            image_ids=[image_id for image_id in pool if image_id not in known],
            samples=None,
            measure=strategy.measure,
        )

    def _proposed(self, result: object) -> None:
        if isinstance(result, Proposal):
            self._on_proposal(result)
