"""Read places of images: cost inputs, embeddings, features, MC samples."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import CostView, describe_appearance, region_embedding
from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, coarse_window, is_read_whole
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.project import ModelRecord
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.uncertainty import Prediction

__all__ = ["RegionReader", "group_by_image"]

_log = logging.getLogger(__name__)
#: Pixels around a place that an encoder sees without their being counted.
_SURROUNDINGS = 32
#: Side of a cell of joint samples in pixels.
_JOINT_STRIDE = 8
#: Least side in pixels with which a place is read.
_COARSE = 64


def group_by_image(places: Sequence[MaskedRegion]) -> Iterator[tuple[str, list[int]]]:
    """Yield each image with the indices of its places, so that it is opened once."""
    by_image: dict[str, list[int]] = {}
    for index, place in enumerate(places):
        by_image.setdefault(place.region.image_id, []).append(index)
    yield from by_image.items()


@dataclass(frozen=True, slots=True)
class RegionReader:
    """Reads places of images: their pixels, stored predictions, and what a model makes of them.

    ``key`` is the key of stored predictions, and ``model`` the model to embed and sample with.
    """

    task: TaskContext
    key: str | None = None
    model: ModelRecord | None = None

    def load_prediction(self, image_id: str) -> Prediction | None:
        """Return the stored prediction of an image; None without a key, or where there is none."""
        return None if self.key is None else self.task.project.predictions.load(self.key, image_id)

    def cost_inputs(self, places: Sequence[MaskedRegion]) -> list[CostView]:
        """Return pixels and predicted classes of each place; black where one cannot be read."""
        found: dict[int, CostView] = {}
        for image_id, indices in group_by_image(places):
            self.task.check_cancelled()
            prediction = self.load_prediction(image_id)
            for index in indices:
                place = places[index]
                region = place.region
                seen = np.zeros(region.shape, np.uint8)
                if prediction is not None:
                    seen = prediction.crop_classes(region)
                found[index] = CostView(self._pixels(region), seen, place.mask)
        return [found[index] for index in range(len(places))]

    def embeddings(self, places: Sequence[MaskedRegion]) -> NDArray[np.float32]:
        """Return the embedding of each place (N, D), each from a crop around it.

        ImageError if an image cannot be read; without places (0, 0).
        """
        if self.model is None or not places:
            return np.empty((0, 0), np.float32)
        segmenter = self.task.models.get(self.model)
        found: list[NDArray[np.float64] | None] = [None] * len(places)
        for image_id, indices in group_by_image(places):
            source = self.task.open_image(image_id)
            for index in indices:
                self.task.check_cancelled()
                region = places[index].region
                around = region.grow(_SURROUNDINGS, source.shape)
                crop = source.read(0, around.y, around.x, around.height, around.width)
                coarse = segmenter.embed(crop, check_cancelled=self.task.check_cancelled)
                inside = Region(image_id, region.y - around.y, region.x - around.x, *region.shape)
                found[index] = region_embedding(coarse, around.shape, inside)
        return np.stack([row for row in found if row is not None]).astype(np.float32)

    def features(self, places: Sequence[MaskedRegion]) -> dict[int, NDArray[np.float64]]:
        """Return hand-made features of each place, by its index, without any model.

        Slides are read as coarse as shows a place with some sixty pixels. Images that cannot be
        read are logged and left out; the first error is raised where none can be read.
        """
        found: dict[int, NDArray[np.float64]] = {}
        problem: ImageError | None = None
        for image_id, indices in group_by_image(places):
            self.task.check_cancelled()
            try:
                source = self.task.open_image(image_id)
                for index in indices:
                    found[index] = describe_appearance(_coarsely(source, places[index].region))
            except ImageError as error:
                _log.warning("left out of the proposal: %s", error)
                problem = problem or error
        if problem is not None and not found:
            raise problem
        return found

    def mc_samples(
        self, places: Sequence[MaskedRegion], options: InferenceOptions
    ) -> NDArray[np.float32]:
        """Return class probabilities (N, T, C) of each place in every MC sample.

        A place is represented by its cell of 8 x 8 pixels on which the samples disagree most.
        """
        if self.model is None or not places:
            return np.empty((0, 0, 0), np.float32)
        segmenter = self.task.models.get(self.model)
        joint = options.with_changes(joint_stride=_JOINT_STRIDE, extras=())
        found: list[NDArray[np.float32] | None] = [None] * len(places)
        for image_id, indices in group_by_image(places):
            source = self.task.open_image(image_id)
            whole = Region.whole(image_id, source.shape)
            together = [(whole, indices)]
            if not is_read_whole(source.shape):  # a slide: what is about each place
                around = [places[i].region.grow(_SURROUNDINGS, source.shape) for i in indices]
                together = [(region, [i]) for region, i in zip(around, indices, strict=True)]
            for region, those in together:
                self.task.check_cancelled()
                pixels = source.read(0, region.y, region.x, region.height, region.width)
                samples = segmenter.predict(
                    pixels, plan=joint, check_cancelled=self.task.check_cancelled
                ).samples
                if samples is None:
                    raise ImageError(f"image {image_id}: the model returned no samples")
                for index in those:
                    found[index] = _most_uncertain_samples(samples, places[index].region, region)
        return np.stack([row for row in found if row is not None])

    def _pixels(self, region: Region) -> NDArray[np.uint8]:
        try:
            source = self.task.open_image(region.image_id)
            return source.read(0, region.y, region.x, region.height, region.width)
        except ImageError as error:
            _log.warning("not read: %s", error)
            return np.zeros((*region.shape, 3), np.uint8)


def _most_uncertain_samples(
    samples: NDArray[np.float32], place: Region, seen: Region
) -> NDArray[np.float32]:
    """Return the samples (T, C) of the cell of a place on which the passes disagree most.

    ``samples`` (T, C, h, w) are those of all cells of ``seen``.
    """
    rows, columns = (
        slice((start - first) // _JOINT_STRIDE, -((first - end) // _JOINT_STRIDE))
        for start, end, first in (
            (place.y, place.bottom, seen.y),
            (place.x, place.right, seen.x),
        )
    )
    part = samples[:, :, rows, columns]
    mean = part.mean(axis=0)
    told = -(mean * np.log(mean + 1e-12)).sum(axis=0)
    told += (part * np.log(part + 1e-12)).sum(axis=1).mean(axis=0)
    y, x = np.unravel_index(int(told.argmax()), told.shape)
    return part[:, :, int(y), int(x)]


def _coarsely(source: ImageSource, region: Region) -> NDArray[np.uint8]:
    """Return the pixels of a region at the coarsest level that is fine enough."""
    return coarse_window(source, region.y, region.x, region.height, region.width, least=_COARSE)
