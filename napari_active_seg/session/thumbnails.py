"""Small pictures of regions, with the uncertainty that they were chosen for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import ImageSource, coarse_window
from napari_active_seg.project import Project, QueuedRegion
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.uncertainty import get_measure

__all__ = ["Thumbnail", "Thumbnails"]

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A picture (H, W, 3) uint8, and how uncertain each pixel of it is (H, W), 0 to 1."""

    pixels: NDArray[np.uint8]
    heat: NDArray[np.float32] | None


class Thumbnails:
    """Makes thumbnails of one project; to be used by one thread, which may be any."""

    def __init__(self, project: Project, *, side: int = 72) -> None:
        self._project, self._side = project, side
        self._predictions = project.predictions.clone()
        self._source: tuple[str, ImageSource] | None = None

    def make(self, queued: QueuedRegion, *, measure: str | None) -> Thumbnail:
        """Return a thumbnail; without a ``measure``, or a prediction, it has no heat.

        ImageError if the image cannot be read.
        """
        region = queued.region
        if self._source is None or self._source[0] != region.image_id:
            self._source = (region.image_id, self._project.images.source(region.image_id))
        crop = coarse_window(
            self._source[1], region.y, region.x, region.height, region.width, least=self._side
        )
        return Thumbnail(_fitted(crop, self._side), self._heat(queued, measure))

    def _heat(self, queued: QueuedRegion, measure: str | None) -> NDArray[np.float32] | None:
        model = self._project.models.in_use()
        if measure is None or model is None:
            return None
        key, region = prediction_key(self._project, model), queued.region
        named = get_measure(measure)
        if not self._predictions.has(key, region.image_id, extra=named.needs):
            return None
        prediction = self._predictions.load(key, region.image_id)
        if prediction is None:
            return None
        moments = prediction.crop_moments(region)
        values = named.compute(moments)
        bound = named.upper_bound(moments.n_classes)
        highest = float(values.max(initial=0.0)) if np.isinf(bound) else bound
        return _fitted(np.clip(values / max(highest, 1e-6), 0, 1).astype(np.float32), self._side)


def _fitted(values: NDArray[_Value], side: int) -> NDArray[_Value]:
    """Return every so manieth pixel, so that the longer side is ``side`` pixels at most."""
    longest = max(values.shape[:2])
    if longest <= side:
        return values
    height, width = (max(1, round(length * side / longest)) for length in values.shape[:2])
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return np.ascontiguousarray(values[rows][:, columns])
