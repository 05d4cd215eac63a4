"""Cost models of regions, and the value of a region from information and cost.

v = I^alpha / C^beta after "annotation cost-sensitive deep active learning"; beta = 0 gives the
plain order exactly. A known cost in seconds is

    C = base + a * pixels + b * boundary + c * clicks + sum over predicted classes k of base_k

where the boundary is that of the predicted mask in pixel edges, and clicks are the vertices of its
outlines after Ramer, Douglas and Peucker. Every rate is a stated guess until a person's own seconds
are known (``fit_learned_cost``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.polygon_simplification import vertex_map
from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.regions import MaskedRegion

__all__ = ["COSTS", "LEARNED", "ClassMaps", "CostModel", "get_cost", "value_per_cost"]

#: Ten pixels keep 95 % of the mIoU on natural photographs; tissue has finer outlines.
CLICK_TOLERANCE = 3.0
WindowSum = Callable[[NDArray[np.generic]], NDArray[np.float64]]


class ClassMaps:
    """Cost inputs of an image from its predicted classes (H, W), computed when needed."""

    def __init__(self, classes: Callable[[], NDArray[np.uint8]]) -> None:
        self._classes = classes

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """The most probable class (H, W) of each pixel."""
        return self._classes()

    @cached_property
    def boundary(self) -> NDArray[np.uint8]:
        """How many edges of each pixel to the right and below part two classes (H, W)."""
        found = np.zeros(self.classes.shape, np.uint8)
        found[:, :-1] += self.classes[:, :-1] != self.classes[:, 1:]
        found[:-1] += self.classes[:-1] != self.classes[1:]
        return found

    @cached_property
    def vertices(self) -> NDArray[np.uint16]:
        """How many vertices of simplified outlines lie at each pixel (H, W)."""
        return vertex_map(self.classes, CLICK_TOLERANCE)

    def clicks(self, place: MaskedRegion) -> float:
        """Return how many vertices lie in a place."""
        return float(self.vertices[place.region.slices][place.mask].sum())


@dataclass(frozen=True, slots=True)
class CostModel:
    """Seconds for a place: a constant for finding one's way, and rates.

    ``per_class`` are seconds for each class that the prediction shows there, 0 for those beyond
    its end. The defaults are a guess: 3 s to look, and 9 s for a square of 128 pixels a side.
    """

    name: str = "area"
    base_s: float = 3.0
    per_pixel: float = 9.0 / 128**2
    per_boundary: float = 0.0
    per_click: float = 0.0
    per_class: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        rates = (self.base_s, self.per_pixel, self.per_boundary, self.per_click, *self.per_class)
        if min(rates) < 0 or (self.base_s == 0 and self.per_pixel == 0):
            raise ConfigError(
                f"a cost needs rates of 0 or more, and a constant or a rate per pixel above 0, "
                f"got {rates}"
            )

    @property
    def depends_on_prediction(self) -> bool:
        """Whether two windows of one size can differ in cost."""
        return bool(self.per_boundary or self.per_click or any(self.per_class))

    def least(self, pixels: int) -> float:
        """Return the least cost of a region of ``pixels`` pixels."""
        return self.base_s + self.per_pixel * pixels

    def of(self, place: MaskedRegion, seen: ClassMaps) -> float:
        """Return the expected seconds for a region, given the prediction of its image."""
        seconds = self.least(place.pixels)
        if not self.depends_on_prediction:
            return seconds
        rows, columns = place.region.slices
        inside = place.mask
        if self.per_boundary:
            seconds += self.per_boundary * float(seen.boundary[rows, columns][inside].sum())
        if self.per_click:
            seconds += self.per_click * seen.clicks(place)
        classes = seen.classes[rows, columns][inside]
        return seconds + sum(
            base for k, base in enumerate(self.per_class) if base and (classes == k).any()
        )

    def of_windows(
        self, seen: ClassMaps, pixels: int, window_sum: WindowSum
    ) -> float | NDArray[np.float64]:
        """Return the seconds of all windows at once; ``window_sum`` adds a map up in each."""
        seconds: float | NDArray[np.float64] = self.least(pixels)
        if self.per_boundary:
            seconds = seconds + self.per_boundary * window_sum(seen.boundary)
        if self.per_click:
            seconds = seconds + self.per_click * window_sum(seen.vertices)
        for k, base in enumerate(self.per_class):
            if base:
                seconds = seconds + base * (window_sum(seen.classes == k) > 0.5).astype(np.float64)
        return seconds


#: Known costs by name.
COSTS: dict[str, CostModel] = {
    model.name: model
    for model in (
        CostModel(),
        CostModel("boundary", 3.0, 1e-4, per_boundary=0.06),
        CostModel("clicks", 3.0, 1e-4, per_click=1.2),
        CostModel("classes", 3.0, 1e-4, per_class=(2.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0)),
    )
}
#: Costs that come from a person's own seconds.
LEARNED = {
    "learned": "from your own seconds: a guess, from 10 regions a regression, from 30 a network",
    "network": "from your own seconds by a small network, from the first regions on",
}


def get_cost(name: str) -> CostModel:
    """Return the cost model called ``name``; for a learned one its prior."""
    if name in LEARNED:
        return COSTS["area"]
    if name not in COSTS:
        raise ConfigError(f"no cost {name!r}: {did_you_mean(name, [*COSTS, *LEARNED])}")
    return COSTS[name]


def value_per_cost(
    information: NDArray[np.float64],
    cost: float | NDArray[np.float64],
    *,
    alpha: float,
    beta: float,
) -> NDArray[np.float64]:
    """Return I^alpha / C^beta for each ``information`` >= 0 at a ``cost`` > 0.

    alpha = 1 and beta = 0 return the information itself, unrounded.
    """
    if np.min(cost, initial=np.inf) <= 0:
        raise ConfigError(f"a cost must be > 0, got {np.min(cost)!r}")
    powered = information if alpha == 1.0 else np.maximum(information, 0.0) ** alpha
    return powered if beta == 0.0 else powered / np.asarray(cost, np.float64) ** beta
