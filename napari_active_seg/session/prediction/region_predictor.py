"""Predict regions: an image as a whole once, a slide around each region."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from napari_active_seg.images import ImageSource, is_read_whole, read_whole
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import Moments

__all__ = ["RegionPredictor", "parts_of"]

#: Pixels around a part of a slide that a network sees as well.
_SURROUNDINGS = 128
#: Larger regions of a slide are predicted in parts of this side.
_PART = 1024


class RegionPredictor:
    """Predicts regions with one segmenter; an image is predicted once while its regions follow."""

    def __init__(
        self, segmenter: Segmenter, plan: InferenceOptions, check_cancelled: Callable[[], None]
    ) -> None:
        self._segmenter, self._plan, self._check = segmenter, plan, check_cancelled
        self._last: tuple[Region, Moments] | None = None

    def predict(self, source: ImageSource, region: Region) -> Moments:
        """Return the moments inside a region; ImageError if the image cannot be read.

        Of a slide it should be no larger than the parts that ``parts_of`` makes.
        """
        if self._last is None or not _holds(self._last[0], region, source):
            if is_read_whole(source.shape):
                around = Region.whole(region.image_id, source.shape)
                pixels = read_whole(source, region.image_id)
            else:
                around = region.grow(_SURROUNDINGS, source.shape)
                pixels = source.read(0, around.y, around.x, around.height, around.width)
            said = self._segmenter.predict(pixels, plan=self._plan, check_cancelled=self._check)
            self._last = (around, said.moments)
        around, moments = self._last
        return moments.crop(region.y - around.y, region.x - around.x, *region.shape)


def parts_of(region: Region, shape: tuple[int, int]) -> Iterator[Region]:
    """Yield a region of an image of ``shape``, in parts where the image is a slide."""
    if is_read_whole(shape):
        yield region
        return
    for y in range(region.y, region.bottom, _PART):
        for x in range(region.x, region.right, _PART):
            height, width = min(_PART, region.bottom - y), min(_PART, region.right - x)
            yield Region(region.image_id, y, x, height, width)


def _holds(around: Region, region: Region, source: ImageSource) -> bool:
    """Return whether the latest prediction is of the whole image of a region, or of the region."""
    if around.image_id != region.image_id:
        return False
    if is_read_whole(source.shape):
        return True
    return around == region.grow(_SURROUNDINGS, source.shape)
