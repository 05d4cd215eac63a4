"""A slide searched on its map, which keeps one pixel of each square of several.

Image, search and cost are brought to the map's pixels, and what is found back to the slide's.
Places cover whole squares, so that two that share no pixel of the map share none of the slide.
"""

from __future__ import annotations

from dataclasses import replace

from napari_active_seg.acquisition.aggregation import Aggregate
from napari_active_seg.acquisition.cost import CostModel
from napari_active_seg.acquisition.pool_image import Candidate, PoolImage
from napari_active_seg.acquisition.strategy import LEAST_SIZE, Strategy
from napari_active_seg.regions import MaskedRegion, Region

__all__ = ["coarse_cost", "coarse_image", "coarse_strategy", "coarse_window_of", "fine_candidate"]

#: Numbers that grow with the pixels that were added up.
_SUMS = ("sum", "count")


def coarse_image(image: PoolImage) -> PoolImage:
    """Return an image as large as its map."""
    taken = tuple(place.coarser(image.step, image.map_shape) for place in image.taken)
    return replace(image, shape=image.map_shape, taken=taken, step=1)


def coarse_window_of(strategy: Strategy, step: int) -> tuple[int, int]:
    """Return size and stride of windows in pixels of a map; they hold a square of the size."""
    return -(-strategy.size // step), max(1, round(strategy.step / step))


def coarse_strategy(strategy: Strategy, step: int) -> Strategy:
    """Return the strategy for units other than squares, in pixels of a map."""
    size = max(LEAST_SIZE, round(strategy.size / step))
    return replace(strategy, size=size, tolerance=strategy.tolerance / step)


def coarse_cost(cost: CostModel, strategy: Strategy, step: int) -> CostModel:
    """Return a cost model for the map's regions that equals ``cost`` on the slide's.

    Edges are as many times fewer as the step is wide; vertices of outlines are counted as they
    are on the map, where fine detail is lost.
    """
    if strategy.unit == "squares":
        pixels = (strategy.size / -(-strategy.size // step)) ** 2
    else:
        pixels = float(step**2)
    return replace(cost, per_pixel=cost.per_pixel * pixels, per_boundary=cost.per_boundary * step)


def fine_candidate(
    found: Candidate, image: PoolImage, strategy: Strategy, aggregate: Aggregate
) -> Candidate:
    """Return what was found on the map of ``image`` as a place of the slide."""
    place = found.place.finer(image.step)
    if strategy.unit == "squares":
        region = place.region
        height, width = (min(strategy.size, length) for length in region.shape)
        place = MaskedRegion(Region(region.image_id, region.y, region.x, height, width))
    elif strategy.unit == "images":
        place = MaskedRegion(Region.whole(image.image_id, image.shape))
    if aggregate.name not in _SUMS:
        return replace(found, place=place)
    times = place.pixels / found.place.pixels
    return replace(
        found,
        place=place,
        information=found.information * times,
        value=found.value * times**strategy.alpha,
        class_values=tuple(value * times for value in found.class_values),
    )
