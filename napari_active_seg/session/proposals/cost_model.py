"""Learn what regions take from what a person's finished ones took."""

from __future__ import annotations

from collections.abc import Sequence
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
    fit_learned_cost,
    get_cost,
)
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.proposals.region_reader import RegionReader
from napari_active_seg.session.task_context import TaskContext

__all__ = ["CostExamples", "learn_cost"]

#: Clicks per pixel of a region, as long as no own ones are known.
_CLICKS_PER_PIXEL = 12 / 128**2


@dataclass(frozen=True, slots=True)
class CostExamples:
    """Places with what they took in ``unit``, the oldest first.

    ``network_first`` learns by the network from three regions on, as the paper does.
    """

    examples: tuple[tuple[MaskedRegion, float], ...]
    network_first: bool
    unit: str


def learn_cost(task: TaskContext, given: CostExamples) -> LearnedCost:
    """Learn the cost of regions: a guess, a regression or a network, by how much there is."""
    project = task.project
    task.report(0, 1, f"learning from what {len(given.examples)} regions took")
    model = project.models.in_use()
    reader = RegionReader(task, None if model is None else prediction_key(project, model))
    inputs = reader.cost_inputs([place for place, _ in given.examples])
    examples = [
        CostExample(view, spent) for view, (_, spent) in zip(inputs, given.examples, strict=True)
    ]
    return fit_learned_cost(
        examples,
        partial(_prior, get_cost("area"), given.unit),
        network=partial(
            task.networks.fit_cost,
            seed=project.config.seed,
            check_cancelled=task.check_cancelled,
        ),
        network_from=3 if given.network_first else FROM_NETWORK,
        unit=given.unit,
    )


def _prior(model: CostModel, unit: str, views: Sequence[CostView]) -> NDArray[np.float64]:
    """Return the stated guess for each region."""
    pixels = np.array([view.inside.sum() for view in views], float)
    if unit == "clicks":
        return 1 + _CLICKS_PER_PIXEL * pixels
    return np.array([model.least(int(count)) for count in pixels])
