"""Read the images of the pool one by one, with their stored predictions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import PoolImage
from napari_active_seg.errors import ImageError
from napari_active_seg.images import (
    ImageRef,
    map_step,
    picture_at_step,
    read_whole,
)
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.uncertainty import get_measure

__all__ = ["PoolReader"]

_log = logging.getLogger(__name__)


class PoolReader:
    """Reads images; those that cannot be read are logged, left out and remembered."""

    def __init__(
        self,
        task: TaskContext,
        *,
        measure: str = "entropy",
        key: str | None = None,
        groups: Mapping[str, str | None] | None = None,
    ) -> None:
        self._task, self._key = task, key
        self._measure, self._groups = get_measure(measure), groups or {}
        self._tissue: dict[str, NDArray[np.bool_]] = {}
        self.problems: dict[str, ImageError] = {}

    def images(
        self, refs: Sequence[ImageRef], taken: Sequence[MaskedRegion], *, maps: bool
    ) -> Iterator[PoolImage]:
        """Yield the images that can be read, with their stored predictions where ``maps``."""
        for number, ref in enumerate(refs):
            self._task.check_cancelled()
            self._task.report(number, len(refs), f"scoring {ref.id}")
            try:
                yield self._image(ref, taken, maps=maps)
            except ImageError as error:
                if ref.id not in self.problems:
                    _log.warning("left out of the proposal: %s", error)
                self.problems[ref.id] = error

    def _pixels(self, ref: ImageRef, step: int) -> NDArray[np.uint8]:
        source = self._task.open_image(ref.id)
        return read_whole(source, ref.id) if step == 1 else picture_at_step(source, step)

    def _image(self, ref: ImageRef, taken: Sequence[MaskedRegion], *, maps: bool) -> PoolImage:
        uncertainty = mean_probs = None
        bound, step = 1.0, map_step(ref.shape)
        if maps:
            key = self._key
            prediction = key and self._task.project.predictions.load(key, ref.id)
            if not prediction:
                raise ImageError(f"image {ref.id} could not be predicted")
            mean_probs, step = prediction.mean_probs, prediction.step
            uncertainty = self._measure.compute(prediction.moments)
            bound = self._measure.upper_bound(prediction.moments.n_classes)
            bound = float(uncertainty.max()) if np.isinf(bound) else bound
        return PoolImage(
            image_id=ref.id,
            shape=ref.shape,
            taken=tuple(place for place in taken if place.region.image_id == ref.id),
            uncertainty=uncertainty,
            tissue=self._tissue_of(ref.id),
            mean_probs=mean_probs,
            bound=bound,
            group=self._groups.get(ref.id),
            read=lambda: self._pixels(ref, step),
            step=step,
        )

    def _tissue_of(self, image_id: str) -> NDArray[np.bool_]:
        """Return the tissue of an image, computed once."""
        if image_id not in self._tissue:
            self._tissue[image_id] = self._task.project.images.tissue(image_id)
        return self._tissue[image_id]
