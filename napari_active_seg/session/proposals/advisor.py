"""Measure a pool and recommend a strategy for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import (
    PoolImage,
    StrategyAdvice,
    draw_windows,
    group_sequences,
    recommend,
    redundancy_of,
    similarity,
)
from napari_active_seg.acquisition.strategy_advisor import LEAST_PLACES, LEAST_RUNS
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.images import ImageRef, ImageSource, goes_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.session.proposals.pool_reader import PoolReader
from napari_active_seg.session.proposals.region_reader import RegionReader

__all__ = ["GuideRequest", "advice_for", "advise_on_pool"]

#: Places that are looked at, and images in runs, by their middle so many pixels wide.
_PLACES, _IMAGES, _MIDDLE = 150, 100, 256


@dataclass(frozen=True, slots=True)
class GuideRequest:
    """The pool and what is taken of it, and how many pixels labels will cover a round later."""

    pool: tuple[ImageRef, ...]
    taken: tuple[MaskedRegion, ...]
    open_source: Callable[[str], ImageSource]
    load_tissue: Callable[[str], NDArray[np.bool_]]
    load_segmenter: Callable[[], Segmenter]
    size: int
    covered_pixels: int
    seed: int


def _nothing(_image_id: str) -> None:
    return None


def advise_on_pool(
    request: GuideRequest, token: CancelToken, report: ProgressCallback
) -> StrategyAdvice:
    """Return the recommendation for all images that can be read."""
    reader = PoolReader(
        open_source=request.open_source,
        load_tissue=request.load_tissue,
        load_prediction=_nothing,
        token=token,
        report=report,
    )
    pool = tuple(reader.images(request.pool, request.taken, maps=False))
    looker = RegionReader(request.open_source, _nothing, token.check, request.load_segmenter)
    return advice_for(
        pool,
        looker,
        size=request.size,
        covered_pixels=request.covered_pixels,
        seed=request.seed,
        report=report,
    )


def advice_for(
    pool: Sequence[PoolImage],
    looker: RegionReader,
    *,
    size: int,
    covered_pixels: int,
    seed: int,
    report: ProgressCallback,
) -> StrategyAdvice:
    """Return the recommendation, from places drawn over the tissue of all images."""
    rng = np.random.default_rng((seed, 1))
    drawn = draw_windows(pool, count=_PLACES, size=size, rng=rng)
    if len(drawn) < LEAST_PLACES:
        raise NothingToDoError(
            f"the guide needs {LEAST_PLACES} free places of {size} pixels and found "
            f"{len(drawn)}; name a strategy, or use smaller regions"
        )
    report(0, 1, f"comparing {len(drawn)} places of the pool")
    seen = looker.embeddings([candidate.place for candidate in drawn])
    redundancy = redundancy_of(seen, rng)
    likeness = _likeness_in_runs(pool, looker, rng)
    pixels = sum(image.shape[0] * image.shape[1] for image in pool)
    covered = covered_pixels / max(pixels, 1)
    return recommend(redundancy, min(covered, 1.0), n_places=len(drawn), likeness=likeness)


def _likeness_in_runs(
    pool: Sequence[PoolImage], looker: RegionReader, rng: np.random.Generator
) -> float | None:
    """Return how alike images are that follow each other; None for too few. Slides are left out."""
    shapes = {image.image_id: image.shape for image in pool if goes_whole(image.shape)}
    runs = group_sequences(tuple(shapes), most=_IMAGES, rng=rng)
    if len(runs) < LEAST_RUNS:
        return None
    middles = [MaskedRegion(_middle_of(name, shapes[name])) for run in runs for name in run]
    return similarity(looker.embeddings(middles), rng)


def _middle_of(name: str, shape: tuple[int, int]) -> Region:
    height, width = (min(length, _MIDDLE) for length in shape)
    return Region(name, (shape[0] - height) // 2, (shape[1] - width) // 2, height, width)
