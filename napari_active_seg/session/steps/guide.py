"""Measure a pool and recommend a strategy for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_active_seg.acquisition import Advice, PoolImage, advise, draw_windows, redundancy_of
from napari_active_seg.acquisition.guide import LEAST_PLACES
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.session.steps.looking import Looker

__all__ = ["GuideRequest", "advise_on_pool"]

#: Places that are looked at.
_PLACES = 150


@dataclass(frozen=True, slots=True)
class GuideRequest:
    """The pool, who looks at it, and what labels cover of it: now, and one round more."""

    pool: tuple[PoolImage, ...]
    looker: Looker
    size: int
    covered_pixels: int
    round_pixels: int
    seed: int


def advise_on_pool(request: GuideRequest, token: CancelToken, report: Report) -> Advice:
    """Return the recommendation, from places drawn over the tissue of all images."""
    rng = np.random.default_rng((request.seed, 1))
    drawn = draw_windows(request.pool, count=_PLACES, size=request.size, rng=rng)
    if len(drawn) < LEAST_PLACES:
        raise NothingToDoError(
            f"the guide needs {LEAST_PLACES} free places of {request.size} pixels and found "
            f"{len(drawn)}; name a strategy, or use a smaller --size"
        )
    token.check()
    report(0, 1, f"comparing {len(drawn)} places of the pool")
    seen = request.looker.embeddings([candidate.place for candidate in drawn])
    pixels = sum(image.shape[0] * image.shape[1] for image in request.pool)
    covered = (request.covered_pixels + request.round_pixels) / max(pixels, 1)
    return advise(redundancy_of(seen, rng), min(covered, 1.0), n_places=len(drawn))
