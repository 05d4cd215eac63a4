"""Choose the regions to label next, each with its reason."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import (
    CostModel,
    PoolImage,
    Proposal,
    RegionKind,
    ScoredRegion,
    Strategy,
    WindowPick,
    draw_windows,
    most_valuable_windows,
    reason_for_drawn,
    reason_for_uncertain,
)
from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageRef
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.regions import Region
from napari_active_seg.session.prediction_key import model_of
from napari_active_seg.session.steps.predict import PredictRequest, predict_images
from napari_active_seg.uncertainty import Prediction, measure_named

__all__ = ["ProposeRequest", "propose_regions"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProposeRequest:
    """The pool, what is taken of it, and how to choose from the rest.

    ``predict`` is None while there is no model; the regions are then drawn at random.
    """

    pool: tuple[ImageRef, ...]
    taken: tuple[Region, ...]
    load_tissue: Callable[[str], NDArray[np.bool_]]
    load_prediction: Callable[[str], Prediction | None]
    predict: PredictRequest | None
    strategy: Strategy
    classes: tuple[str, ...]
    cost: CostModel
    count: int
    round: int
    seed: int

    @property
    def config_hash(self) -> str:
        """A hash of everything that decides the choice but the images themselves."""
        facts = {
            "strategy": asdict(self.strategy),
            "cost": asdict(self.cost),
            "count": self.count,
            "sampling": asdict(self.predict.plan) if self.predict else None,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def propose_regions(request: ProposeRequest, token: CancelToken, report: Report) -> Proposal:
    """Return the proposal; images without a prediction are predicted first."""
    rng = np.random.default_rng((request.seed, request.round))
    at_random = request.predict is None or request.strategy.random
    if request.predict is not None and request.predict.image_ids and not at_random:
        predict_images(request.predict, token, report)
    pool = _pool_images(request, token, report, with_maps=not at_random)
    if at_random:
        picks = draw_windows(pool, count=request.count, size=request.strategy.size, rng=rng)
        scored = tuple(_drawn(request, pick) for pick in picks)
    else:
        picks = most_valuable_windows(
            pool,
            count=request.count,
            size=request.strategy.size,
            stride=request.strategy.step,
            rng=rng,
            overlap=request.strategy.overlap,
            alpha=request.strategy.alpha,
            beta=request.strategy.beta,
        )
        scored = tuple(_chosen(request, pick) for pick in picks)
    if not scored:
        raise NothingToDoError(
            "no free place is left for a region: everything is labelled or queued. "
            "Use a smaller --size, or add images"
        )
    return Proposal(
        round=request.round,
        regions=scored,
        strategy=request.strategy.name,
        budget=request.count,
        seed=request.seed,
        model_id=model_of(request.predict.model_id) if request.predict else None,
        config_hash=request.config_hash,
    )


def _pool_images(
    request: ProposeRequest, token: CancelToken, report: Report, *, with_maps: bool
) -> list[PoolImage]:
    """Return the images that can be read; those that cannot are logged and left out."""
    pool: list[PoolImage] = []
    problems: list[ImageError] = []
    for number, ref in enumerate(request.pool):
        token.check()
        report(number, len(request.pool), f"scoring {ref.id}")
        try:
            pool.append(_pool_image(request, ref, with_map=with_maps))
        except ImageError as error:
            _log.warning("left out of the proposal: %s", error)
            problems.append(error)
    if problems and not pool:
        raise problems[0]
    return pool


def _pool_image(request: ProposeRequest, ref: ImageRef, *, with_map: bool) -> PoolImage:
    taken = tuple(region for region in request.taken if region.image_id == ref.id)
    uncertainty = None
    if with_map:
        prediction = request.load_prediction(ref.id)
        if prediction is None:
            raise ImageError(f"image {ref.id} could not be predicted")
        uncertainty = measure_named(request.strategy.measure).compute(prediction.moments)
    height, width = (min(request.strategy.size, length) for length in ref.shape)
    return PoolImage(
        image_id=ref.id,
        shape=ref.shape,
        taken=taken,
        uncertainty=uncertainty,
        tissue=request.load_tissue(ref.id),
        cost_of_window=request.cost.of(Region(ref.id, 0, 0, height, width)),
    )


def _drawn(request: ProposeRequest, pick: WindowPick) -> ScoredRegion:
    start = request.predict is None
    return ScoredRegion(
        pick.region,
        information=0.0,
        cost=request.cost.of(pick.region),
        reason=reason_for_drawn(pick.drawn_from, start=start),
        kind=RegionKind.START if start else RegionKind.DRAWN,
        draw_probability=1.0 / pick.drawn_from,
        drawn_from=pick.drawn_from,
    )


def _chosen(request: ProposeRequest, pick: WindowPick) -> ScoredRegion:
    prediction = request.load_prediction(pick.region.image_id)
    reason = (
        ""
        if prediction is None
        else reason_for_uncertain(prediction.moments, pick.region, request.classes)
    )
    return ScoredRegion(
        pick.region, pick.information, request.cost.of(pick.region), reason, RegionKind.CHOSEN
    )
