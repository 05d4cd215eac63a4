"""Measure the pool and recommend a strategy for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_active_seg.acquisition import (
    PoolImage,
    StrategyAdvice,
    draw_windows,
    group_sequences,
    measure_redundancy,
    recommend,
    similarity,
)
from napari_active_seg.acquisition.strategy_advisor import LEAST_PLACES, LEAST_RUNS
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.images import is_read_whole
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import MaskedRegion, Region, RegionState
from napari_active_seg.regions.coverage import count_pixels
from napari_active_seg.session.proposals.pool_reader import PoolReader
from napari_active_seg.session.proposals.region_reader import RegionReader
from napari_active_seg.session.task_context import TaskContext

__all__ = ["advice_for", "advise_on_pool"]

#: Number of places that are compared, of images in sequences, and the side of their middle.
_PLACES, _IMAGES, _MIDDLE = 150, 100, 256


def advise_on_pool(task: TaskContext, *, size: int | None = None) -> StrategyAdvice:
    """Measure all images of the pool that can be read, and recommend a strategy."""
    project = task.project
    model = project.models.in_use()
    if model is None:
        raise NothingToDoError("there is no model yet")
    config, queue = project.config, project.regions.queue()
    side = size or config.region_size
    images = PoolReader(task).images(
        project.images.all(Split.POOL), [queued.place for queued in queue], maps=False
    )
    covered = count_finished_pixels(project) + config.regions_per_round * side**2
    return advice_for(
        tuple(images),
        RegionReader(task, model=model),
        size=side,
        covered_pixels=covered,
        seed=config.seed,
        report=task.report,
    )


def count_finished_pixels(project: Project) -> int:
    """Return how many pixels of the pool are labelled."""
    ids = {ref.id for ref in project.images.all(Split.POOL)}
    return count_pixels(
        queued.place
        for queued in project.regions.queue()
        if queued.state is RegionState.DONE and queued.region.image_id in ids
    )


def advice_for(
    pool: Sequence[PoolImage],
    reader: RegionReader,
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
    seen = reader.embeddings([candidate.place for candidate in drawn])
    redundancy = measure_redundancy(seen, rng)
    likeness = _likeness_in_runs(pool, reader, rng)
    pixels = sum(image.shape[0] * image.shape[1] for image in pool)
    covered = covered_pixels / max(pixels, 1)
    return recommend(redundancy, min(covered, 1.0), n_places=len(drawn), likeness=likeness)


def _likeness_in_runs(
    pool: Sequence[PoolImage], reader: RegionReader, rng: np.random.Generator
) -> float | None:
    """Return how alike images are that follow each other; None for too few. Slides are left out."""
    shapes = {image.image_id: image.shape for image in pool if is_read_whole(image.shape)}
    runs = group_sequences(tuple(shapes), most=_IMAGES, rng=rng)
    if len(runs) < LEAST_RUNS:
        return None
    middles = [MaskedRegion(_middle_of(name, shapes[name])) for run in runs for name in run]
    return similarity(reader.embeddings(middles), rng)


def _middle_of(name: str, shape: tuple[int, int]) -> Region:
    height, width = (min(length, _MIDDLE) for length in shape)
    return Region(name, (shape[0] - height) // 2, (shape[1] - width) // 2, height, width)
