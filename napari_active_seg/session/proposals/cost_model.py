"""Learn what regions take from what a person's finished ones took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import (
    FROM_NETWORK,
    CostExample,
    CostModel,
    CostView,
    LearnedCost,
    get_cost,
    learned_cost,
)
from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.proposals.region_reader import RegionReader
from napari_active_seg.uncertainty import Prediction

__all__ = ["LearnCostRequest", "learn_cost"]

#: Clicks a pixel of a region takes, as long as nobody's own are known.
_CLICKS_PER_PIXEL = 12 / 128**2


@dataclass(frozen=True, slots=True)
class LearnCostRequest:
    """Places with what they took in ``unit``, the oldest first.

    ``network_first`` learns by the network from three regions on, as the paper does.
    """

    examples: tuple[tuple[MaskedRegion, float], ...]
    open_source: Callable[[str], ImageSource]
    load_prediction: Callable[[str], Prediction | None]
    factory: SegmenterFactory
    network_first: bool
    unit: str
    seed: int


def learn_cost(
    request: LearnCostRequest, token: CancelToken, report: ProgressCallback
) -> LearnedCost:
    """Return what was learned: a guess, a regression or a network, by how much there is."""
    n = len(request.examples)
    report(0, 1, f"learning from what {n} regions took")
    looker = RegionReader(request.open_source, request.load_prediction, token.check)
    views = looker.views([place for place, _ in request.examples])
    examples = [
        CostExample(view, spent) for view, (_, spent) in zip(views, request.examples, strict=True)
    ]
    return learned_cost(
        examples,
        partial(_prior, get_cost("area"), request.unit),
        network=partial(request.factory.fit_cost, seed=request.seed, check_cancelled=token.check),
        network_from=3 if request.network_first else FROM_NETWORK,
        unit=request.unit,
    )


def _prior(model: CostModel, unit: str, views: Sequence[CostView]) -> NDArray[np.float64]:
    """Return the stated guess for each region."""
    pixels = np.array([view.inside.sum() for view in views], float)
    if unit == "clicks":
        return 1 + _CLICKS_PER_PIXEL * pixels
    return np.array([model.least(int(count)) for count in pixels])
