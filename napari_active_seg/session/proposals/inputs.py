"""What a proposal reads from a project: the pool, what is taken of it, and how to choose."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from napari_active_seg.acquisition import Budget, LearnedCost, RegionKind, Strategy, get_cost
from napari_active_seg.acquisition.cost import CostModel
from napari_active_seg.acquisition.evaluation_quota import (
    EvaluationQuotas,
    Quota,
    required_sample_size,
)
from napari_active_seg.images import ImageRef
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.project import ModelRecord, Project, QueuedRegion, Split
from napari_active_seg.regions import MaskedRegion, RegionState
from napari_active_seg.regions.coverage import count_pixels
from napari_active_seg.session.model_access.cache_key import predicted_images, prediction_key
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.prediction.task import PredictedBefore
from napari_active_seg.session.proposals.cost_model import CostExamples
from napari_active_seg.session.proposals.strategy_file import is_strategy_file, strategy_from
from napari_active_seg.session.state import OPEN_STATES
from napari_active_seg.session.training.control_regions import CONTROL_EVENT

__all__ = [
    "Earlier",
    "ProposalChoices",
    "ProposalInputs",
    "Stage",
    "chosen_strategy",
    "evaluation_quotas",
    "read_proposal_inputs",
    "unpredicted_images",
]


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a proposal that is made in stages.

    ``ranked`` are the images that regions are chosen from, and ``predicts`` those of them that are
    predicted before. ``kept`` are places of this round that stay: nothing is chosen there, and
    they are paid out of the budget. Without ``draws``, squares for control, validation and test are
    drawn, so that nothing is chosen where they lie, and left out of the proposal.
    """

    ranked: frozenset[str]
    predicts: tuple[str, ...] = ()
    before: PredictedBefore = field(default_factory=PredictedBefore)
    note: str = ""
    kept: tuple[MaskedRegion, ...] = ()
    draws: bool = False


@dataclass(frozen=True, slots=True)
class ProposalChoices:
    """How regions are chosen, and for how much.

    ``cost`` replaces the strategy's cost. ``own_pace`` is what a person's own regions took, learned
    or to be learned from. ``instead_of`` are regions of the latest round that the proposal
    replaces: it belongs to that round then, and their places are free.
    """

    strategy: Strategy
    budget: Budget
    seed: int | None = None
    cost: CostModel | None = None
    own_pace: LearnedCost | CostExamples | None = None
    instead_of: tuple[str, ...] = ()
    stage: Stage | None = None


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
class ProposalInputs:
    """The pool, what is taken of it, and how to choose from the rest.

    ``validation`` and ``test`` are images that are never trained on. ``model`` is None while
    there is none; the regions are then those that cover the pool by their features, or random ones.
    """

    pool: tuple[ImageRef, ...]
    validation: tuple[ImageRef, ...]
    test: tuple[ImageRef, ...]
    groups: Mapping[str, str | None]
    taken: tuple[MaskedRegion, ...]
    earlier: Earlier
    quotas: EvaluationQuotas
    model: ModelRecord | None
    key: str | None  #: of stored predictions
    options: InferenceOptions | None  #: how the model predicts
    unpredicted: tuple[str, ...]
    strategy: Strategy
    classes: tuple[str, ...]
    cost: CostModel
    budget: Budget
    round: int
    seed: int

    @property
    def config_hash(self) -> str:
        """A hash of everything that decides the choice but the images themselves."""
        facts = {
            "strategy": asdict(self.strategy),
            "cost": asdict(self.cost),
            "budget": asdict(self.budget),
            "sampling": None if self.options is None else self.options.as_facts(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_proposal_inputs(project: Project, choices: ProposalChoices) -> ProposalInputs:
    """Return what a proposal of the next round over the pool is made from."""
    strategy, stage = choices.strategy, choices.stage
    queue = tuple(q for q in project.regions.queue() if q.id not in choices.instead_of)
    pool, model = project.images.all(Split.POOL), project.models.in_use()
    unpredicted = unpredicted_images(project, strategy.measure) if stage is None else stage.predicts
    return ProposalInputs(
        pool=pool,
        validation=project.images.all(Split.VALIDATION),
        test=project.images.all(Split.TEST),
        groups={i: placed.group for i, placed in project.images.placements().items()},
        taken=tuple(queued.place for queued in queue),
        earlier=_earlier(queue, pool),
        quotas=evaluation_quotas(project),
        model=model,
        key=None if model is None else prediction_key(project, model),
        options=None
        if model is None
        else inference_options(project, measure=strategy.measure, model=model),
        unpredicted=unpredicted,
        strategy=strategy,
        classes=project.schema.names,
        cost=choices.cost or get_cost(strategy.cost),
        budget=choices.budget,
        round=project.regions.last_round() + (0 if choices.instead_of else 1),
        seed=project.config.seed if choices.seed is None else choices.seed,
    )


def unpredicted_images(project: Project, measure: str) -> tuple[str, ...]:
    """Return the images of the pool without a stored prediction that has what a measure needs."""
    pool = [ref.id for ref in project.images.all(Split.POOL)]
    known = predicted_images(project, pool, measure)
    return tuple(image_id for image_id in pool if image_id not in known)


def chosen_strategy(
    project: Project,
    name: str | Strategy | None,
    *,
    shown: str | None = None,
    changes: Mapping[str, str] | None = None,
    **parts: object,
) -> Strategy:
    """Return the strategy called ``name``, or the project's, with the given parts changed.

    The project's cost, shares and limits take precedence over those of a known strategy, and
    not over those of a person's own strategy: a file, or a value. Where it names no measure
    it is the one that is ``shown``.
    """
    config = project.config
    own = isinstance(name, Strategy) or (name is not None and is_strategy_file(name))
    named = (
        name if isinstance(name, Strategy) else strategy_from(name or config.acquisition.strategy)
    )
    overrides = {} if own else config.acquisition.overrides
    chosen = named.with_changes(
        default_size=config.region_size,
        default_measure=config.acquisition.measure if shown is None else shown,
        **{**overrides, **_given(parts)},
    )
    return chosen.with_parsed_changes(changes) if changes else chosen


def _given(parts: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in parts.items() if value is not None}


def evaluation_quotas(project: Project) -> EvaluationQuotas:
    """Return how many squares of each drawn kind there are, and how many are needed in all."""
    queue = project.regions.queue()
    squares = {queued.id for queued in queue if queued.kind is RegionKind.CONTROL}
    scores = [
        float(dice)
        for event in project.events.named(CONTROL_EVENT)
        if event.subject in squares and isinstance(dice := event.facts.get("mean_dice"), float)
    ]
    in_use = project.models.in_use()
    of_images = [] if in_use is None else list(in_use.image_scores.values())
    plan = {
        split: _tally_set_aside(project, split, queue, required_sample_size(of_images))
        for split in (Split.VALIDATION, Split.TEST)
    }
    controls = [q for q in queue if q.kind is RegionKind.CONTROL and q.state is RegionState.DONE]
    control = Quota(len(controls), required_sample_size(scores))
    return EvaluationQuotas(control, plan[Split.VALIDATION], plan[Split.TEST])


def _tally_set_aside(
    project: Project, split: Split, queue: tuple[QueuedRegion, ...], needed: int
) -> Quota:
    """Return how many labelled places lie on images that were set aside.

    An image that is labelled as a whole is one. Where all of them are, nothing more is possible,
    and what there is has to do.
    """
    ids = {ref.id for ref in project.images.all(split)}
    there = [q for q in queue if q.region.image_id in ids and q.kind is not RegionKind.MANUAL]
    done = [q for q in there if q.state is RegionState.DONE]
    whole = {q.region.image_id for q in done if q.kind is RegionKind.IMPORTED}
    waiting = sum(q.state in OPEN_STATES for q in there)
    return Quota(len(done), needed, possible=bool(ids - whole), waiting=waiting)


def _earlier(queue: tuple[QueuedRegion, ...], pool: tuple[ImageRef, ...]) -> Earlier:
    ids = {ref.id for ref in pool}
    proposed = [q for q in queue if q.kind not in (RegionKind.IMPORTED, RegionKind.MANUAL)]
    of_pool = [q for q in proposed if q.region.image_id in ids]
    with_model = [q for q in of_pool if q.kind is not RegionKind.INITIAL]
    done = [q for q in queue if q.state is RegionState.DONE and q.region.image_id in ids]
    return Earlier(
        proposed=len(proposed),
        with_model=len(with_model),
        controls=sum(q.kind is RegionKind.CONTROL for q in with_model),
        labelled=tuple(q.place for q in done),
        covered_pixels=count_pixels(q.place for q in done),
    )
