"""Requests for proposals and for the guide, frozen out of a project."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from napari_active_seg.acquisition import (
    LEARNED,
    Budget,
    CostModel,
    EvaluationQuotas,
    Quota,
    RegionKind,
    Strategy,
    get_cost,
    required_sample_size,
)
from napari_active_seg.images import ImageRef
from napari_active_seg.project import Project, QueuedRegion, Split
from napari_active_seg.regions import RegionState, count_pixels
from napari_active_seg.session.prediction.requests import load_prediction
from napari_active_seg.session.prediction.task import PredictRequest
from napari_active_seg.session.proposals.advisor import GuideRequest
from napari_active_seg.session.proposals.cost_model_cache import CostModelCache
from napari_active_seg.session.proposals.strategy_file import is_strategy_file, strategy_from
from napari_active_seg.session.proposals.task import Earlier, ProposeRequest
from napari_active_seg.session.state import OPEN_STATES
from napari_active_seg.session.training.control_regions import CONTROL_EVENT

__all__ = ["chosen_strategy", "drawn_plan", "guide_request", "propose_request"]


def chosen_strategy(
    project: Project,
    name: str | Strategy | None,
    *,
    shown: str | None = None,
    changes: Mapping[str, str] | None = None,
    **parts: object,
) -> Strategy:
    """Return the strategy called ``name``, or the project's, with what was asked for changed.

    What the project says of cost, shares and limits comes before what a known strategy says, and
    after what one of a person's own says: a file, or a value. Where the strategy names no measure
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
    return chosen.with_words(changes) if changes else chosen


def _given(parts: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in parts.items() if value is not None}


def propose_request(
    project: Project,
    *,
    predict: PredictRequest | None,
    strategy: Strategy,
    cost: CostModel | None,
    budget: Budget,
    seed: int | None,
    costs: CostModelCache,
    instead_of: Collection[str] = (),
) -> ProposeRequest:
    """Return the request for a proposal of the next round over the pool.

    ``instead_of`` are regions of the latest round that it is to stand in for: it belongs to that
    round then, and their places are free.
    """
    config = project.config
    queue = tuple(q for q in project.regions.queue() if q.id not in instead_of)
    key = None if predict is None else predict.model_id
    pool = project.images.all(Split.POOL)
    pace = None
    if strategy.cost in LEARNED:
        unit = "clicks" if budget.unit == "clicks" else "s"
        pace = costs.known_or_request(how=strategy.cost, unit=unit)
    return ProposeRequest(
        pool=pool,
        validation=project.images.all(Split.VALIDATION),
        audit=project.images.all(Split.AUDIT),
        groups={i: placed.group for i, placed in project.images.placements().items()},
        taken=tuple(queued.place for queued in queue),
        earlier=_earlier(queue, pool),
        drawn_plan=drawn_plan(project),
        open_source=project.images.source,
        load_tissue=project.images.tissue,
        load_prediction=partial(load_prediction, project, key),
        predict=predict,
        strategy=strategy,
        classes=project.schema.names,
        cost=cost or get_cost(strategy.cost),
        own_pace=pace,
        budget=budget,
        round=project.regions.last_round() + (0 if instead_of else 1),
        seed=config.seed if seed is None else seed,
    )


def guide_request(project: Project, predict: PredictRequest, *, size: int | None) -> GuideRequest:
    """Return the request to measure the pool."""
    config, pool, queue = project.config, project.images.all(Split.POOL), project.regions.queue()
    side = size or config.region_size
    return GuideRequest(
        pool=pool,
        taken=tuple(queued.place for queued in queue),
        open_source=project.images.source,
        load_tissue=project.images.tissue,
        load_segmenter=predict.load_segmenter,
        size=side,
        covered_pixels=_earlier(queue, pool).covered_pixels + config.regions_per_round * side**2,
        seed=config.seed,
    )


def drawn_plan(project: Project) -> EvaluationQuotas:
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
        for split in (Split.VALIDATION, Split.AUDIT)
    }
    controls = [q for q in queue if q.kind is RegionKind.CONTROL and q.state is RegionState.DONE]
    control = Quota(len(controls), required_sample_size(scores))
    return EvaluationQuotas(control, plan[Split.VALIDATION], plan[Split.AUDIT])


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
