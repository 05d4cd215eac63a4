"""What is seen at places of images: crops, embeddings, joint samples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import CostView, appearance_of, region_embedding
from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, coarse_window, goes_whole
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.uncertainty import Prediction

__all__ = ["RegionReader", "group_by_image"]

_log = logging.getLogger(__name__)
#: Pixels around a place that an encoder sees without their being counted.
_SURROUNDINGS = 32
#: A cell of joint samples is a square of so many pixels.
_JOINT_STRIDE = 8
#: A place is looked at with at least so many pixels along each side.
_COARSE = 64


def group_by_image(places: Sequence[MaskedRegion]) -> Iterator[tuple[str, list[int]]]:
    """Yield each image with the indices of its places, so that it is opened once."""
    by_image: dict[str, list[int]] = {}
    for index, place in enumerate(places):
        by_image.setdefault(place.region.image_id, []).append(index)
    yield from by_image.items()


@dataclass(frozen=True, slots=True)
class RegionReader:
    """Opens images and asks the model in use about places in them."""

    open_source: Callable[[str], ImageSource]
    load_prediction: Callable[[str], Prediction | None]
    check: Callable[[], None]
    load_segmenter: Callable[[], Segmenter] | None = None

    def views(self, places: Sequence[MaskedRegion]) -> list[CostView]:
        """Return pixels and predicted classes of each place; black where one cannot be read."""
        found: dict[int, CostView] = {}
        for image_id, indices in group_by_image(places):
            self.check()
            prediction = self.load_prediction(image_id)
            for index in indices:
                place = places[index]
                region = place.region
                seen = np.zeros(region.shape, np.uint8)
                if prediction is not None:
                    seen = prediction.classes_in(region)
                found[index] = CostView(self._pixels(region), seen, place.mask)
        return [found[index] for index in range(len(places))]

    def embeddings(self, places: Sequence[MaskedRegion]) -> NDArray[np.float32]:
        """Return what is seen at each place (N, D), each from a crop about it.

        ImageError if an image cannot be read; without places (0, 0).
        """
        if self.load_segmenter is None or not places:
            return np.empty((0, 0), np.float32)
        segmenter = self.load_segmenter()
        found: list[NDArray[np.float64] | None] = [None] * len(places)
        for image_id, indices in group_by_image(places):
            source = self.open_source(image_id)
            for index in indices:
                self.check()
                region = places[index].region
                around = region.grown(_SURROUNDINGS, source.shape)
                crop = source.read(0, around.y, around.x, around.height, around.width)
                coarse = segmenter.embed(crop, check_cancelled=self.check)
                inside = Region(image_id, region.y - around.y, region.x - around.x, *region.shape)
                found[index] = region_embedding(coarse, around.shape, inside)
        return np.stack([row for row in found if row is not None]).astype(np.float32)

    def appearances(self, places: Sequence[MaskedRegion]) -> dict[int, NDArray[np.float64]]:
        """Return how each place looks, by its index, without asking any model.

        Slides are read as coarse as shows a place with some sixty pixels. Images that cannot be
        read are logged and left out; the first error is raised where none can be read.
        """
        found: dict[int, NDArray[np.float64]] = {}
        problem: ImageError | None = None
        for image_id, indices in group_by_image(places):
            self.check()
            try:
                source = self.open_source(image_id)
                for index in indices:
                    found[index] = appearance_of(_coarsely(source, places[index].region))
            except ImageError as error:
                _log.warning("left out of the proposal: %s", error)
                problem = problem or error
        if problem is not None and not found:
            raise problem
        return found

    def mc_samples(
        self, places: Sequence[MaskedRegion], plan: InferenceOptions
    ) -> NDArray[np.float32]:
        """Return class probabilities (N, T, C) of each place in every pass.

        A place is stood for by its cell of 8 x 8 pixels on which the passes disagree most.
        """
        if self.load_segmenter is None or not places:
            return np.empty((0, 0, 0), np.float32)
        segmenter = self.load_segmenter()
        joint = plan.with_changes(joint_stride=_JOINT_STRIDE, extras=())
        found: list[NDArray[np.float32] | None] = [None] * len(places)
        for image_id, indices in group_by_image(places):
            source = self.open_source(image_id)
            whole = Region.whole(image_id, source.shape)
            together = [(whole, indices)]
            if not goes_whole(source.shape):  # a slide: what is about each place
                around = [places[i].region.grown(_SURROUNDINGS, source.shape) for i in indices]
                together = [(region, [i]) for region, i in zip(around, indices, strict=True)]
            for region, those in together:
                self.check()
                pixels = source.read(0, region.y, region.x, region.height, region.width)
                samples = segmenter.predict(pixels, plan=joint, check_cancelled=self.check).samples
                if samples is None:
                    raise ImageError(f"image {image_id}: the model told no samples")
                for index in those:
                    found[index] = _most_uncertain_samples(samples, places[index].region, region)
        return np.stack([row for row in found if row is not None])

    def _pixels(self, region: Region) -> NDArray[np.uint8]:
        try:
            source = self.open_source(region.image_id)
            return source.read(0, region.y, region.x, region.height, region.width)
        except ImageError as error:
            _log.warning("not seen: %s", error)
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
