"""How far successive models agree on images that nobody chose them by."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import PoolImage, draw_windows
from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, goes_whole, tissue_at_low_level
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import Region

__all__ = ["Agreement", "CompareRequest", "compare_models"]

_log = logging.getLogger(__name__)
#: Windows of a slide that are compared, and their side.
_OF_SLIDE, _SIDE = 8, 512


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """Models in the order of their training, each with what loads it, and pool images."""

    models: tuple[tuple[str, Callable[[], Segmenter]], ...]
    image_ids: tuple[str, ...]
    open_source: Callable[[str], ImageSource]
    n_classes: int
    seed: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two models agree: Cohen's kappa over all pixels, and the share that changed."""

    model_id: str
    earlier: str
    kappa: float
    changed: float


def compare_models(
    request: CompareRequest, token: CancelToken, report: ProgressCallback
) -> tuple[Agreement, ...]:
    """Return the agreement of each model with the one before it; a plain pass of each is asked."""
    plan = InferenceOptions(uncertainty_from="single", samples=1, seed=request.seed)
    before: dict[Region, NDArray[np.uint8]] = {}
    found, earlier = [], ""
    for number, (model_id, load) in enumerate(request.models):
        report(number, len(request.models), f"comparing {model_id} with the one before")
        now = _predicted(request, load(), plan, token)
        if earlier:
            matrix = ConfusionMatrix.empty(request.n_classes)
            for region in now.keys() & before.keys():
                matrix = matrix.add(now[region], before[region])
            kappa = 1.0 if matrix.accuracy == 1 else float(matrix.kappa)
            found.append(Agreement(model_id, earlier, kappa, float(1 - matrix.accuracy)))
        before, earlier = now, model_id
    return tuple(found)


def _predicted(
    request: CompareRequest, segmenter: Segmenter, plan: InferenceOptions, token: CancelToken
) -> dict[Region, NDArray[np.uint8]]:
    found: dict[Region, NDArray[np.uint8]] = {}
    for image_id in request.image_ids:
        token.check()
        try:
            source = request.open_source(image_id)
            for region in _windows(source, image_id, request.seed):
                pixels = source.read(0, region.y, region.x, *region.shape)
                said = segmenter.predict(pixels, plan=plan, check_cancelled=token.check)
                found[region] = said.moments.mean_p.argmax(axis=0).astype(np.uint8)
        except ImageError as error:
            _log.warning("left out of the comparison: %s", error)
    if not found:
        raise ImageError("none of the pool's images can be read")
    return found


def _windows(source: ImageSource, image_id: str, seed: int) -> tuple[Region, ...]:
    """Return the whole image, or windows drawn over the tissue of a slide."""
    if goes_whole(source.shape):
        return (Region.whole(image_id, source.shape),)
    image = PoolImage(image_id, source.shape, tissue=tissue_at_low_level(source))
    drawn = draw_windows([image], count=_OF_SLIDE, size=_SIDE, rng=np.random.default_rng(seed))
    return tuple(candidate.region for candidate in drawn)
