"""Places of an image other than squares: the whole of it, polygons, superpixels, equal parts.

Those of one image never share a pixel, and none holds a pixel that is labelled or queued.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import slic

from napari_active_seg.acquisition.polygon_simplification import polygon_mask, simplify_outlines
from napari_active_seg.acquisition.pool_image import LEAST_TISSUE, PoolImage
from napari_active_seg.acquisition.strategy import Strategy
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import MaskedRegion, Region

__all__ = ["get_candidate_regions", "polygons"]

#: Polygons of fewer pixels are not worth the way there.
_LEAST_POLYGON = 64
#: A superpixel or part that has lost more than this share to what is taken is left out.
_MOST_TAKEN = 0.5
#: Pixels that SLIC is run on: larger images are read at a lower resolution.
_SLIC_PIXELS = 120_000
#: A part of an image, with how many clicks outline it; None where nobody counted.
Part = tuple[MaskedRegion, float | None]


def get_candidate_regions(image: PoolImage, strategy: Strategy) -> Iterator[Part]:
    """Yield the candidate regions of an image, in a strategy's unit, that lie on tissue."""
    for place, clicks in _UNITS[strategy.unit](image, strategy):
        least = 0.0 if strategy.unit == "images" else LEAST_TISSUE
        share = image.share_of_tissue(place)
        if share >= least and share > 0:
            yield place, clicks


def polygons(
    values: NDArray[np.floating], cut: float, tolerance: float
) -> tuple[tuple[NDArray[np.float64], NDArray[np.bool_]], ...]:
    """Return the polygons around what lies above ``cut``, largest first, with their pixels (H, W).

    Each is the outer outline of a connected area, simplified until no point of the outline lies
    further away than ``tolerance``. Areas that are less than a triangle then are left out.
    """
    labels, _ = ndimage.label(values > cut, np.ones((3, 3)))
    found = []
    for number, window in enumerate(ndimage.find_objects(labels), 1):
        filled = ndimage.binary_fill_holes(labels[window] == number)
        rings = simplify_outlines(filled, tolerance)
        if not rings:
            continue
        ring = max(rings, key=len) + np.array([window[0].start, window[1].start])
        mask = polygon_mask(ring, (values.shape[0], values.shape[1]))
        if mask.sum() >= _LEAST_POLYGON:
            found.append((ring, mask))
    return tuple(sorted(found, key=lambda item: -int(item[1].sum())))


def _whole(image: PoolImage, _strategy: Strategy) -> Iterator[Part]:
    """Yield the image, where nothing of it is taken."""
    if not image.taken:
        yield MaskedRegion(Region.whole(image.image_id, image.shape)), None


def _polygons(image: PoolImage, strategy: Strategy) -> Iterator[Part]:
    """Yield polygons around what is uncertain; what is taken or in a larger one is cut out."""
    values = image.finite_uncertainty()
    free = ~image.taken_mask
    for ring, mask in polygons(values, strategy.threshold * image.bound, strategy.tolerance):
        own = mask & free
        if own.sum() >= _LEAST_POLYGON:
            free &= ~own
            yield MaskedRegion.of_mask(image.image_id, own), float(len(ring))


def _superpixels(image: PoolImage, strategy: Strategy) -> Iterator[Part]:
    """Yield the SLIC superpixels of an image, each about as large as a square of the size."""
    if image.read is None:
        raise BadInputError(f"image {image.image_id!r} cannot be read, so it has no superpixels")
    pixels = image.read()
    step = int(np.ceil(np.sqrt(pixels.shape[0] * pixels.shape[1] / _SLIC_PIXELS)))
    wanted = max(1, round(image.shape[0] * image.shape[1] / strategy.size**2))
    # Smoothed and compact: the texture of tissue makes shreds otherwise, which run together.
    coarse = slic(
        pixels[::step, ::step], wanted, compactness=30, sigma=2, start_label=1, channel_axis=-1
    )
    labels = np.kron(coarse, np.ones((step, step), coarse.dtype)) if step > 1 else coarse
    labels = labels[: image.shape[0], : image.shape[1]]
    free = ~image.taken_mask
    for number, window in enumerate(ndimage.find_objects(labels), 1):
        if window is None:
            continue
        mask = labels[window] == number
        own = mask & free[window]
        if own.sum() >= max(1, (1 - _MOST_TAKEN) * mask.sum()):
            yield MaskedRegion.of_mask(image.image_id, own, window[0].start, window[1].start), None


def _crops(image: PoolImage, strategy: Strategy) -> Iterator[Part]:
    """Yield the parts of an image that is cut into rows and columns of about the size."""
    rows, columns = (_cuts(length, strategy.size) for length in image.shape)
    taken = image.taken_mask if image.taken else None
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            region = Region(image.image_id, top, left, bottom - top, right - left)
            if taken is None or not taken[region.slices].any():
                yield MaskedRegion(region), None


def _cuts(length: int, size: int) -> list[int]:
    parts = max(1, round(length / size))
    return [round(k * length / parts) for k in range(parts + 1)]


_UNITS: Mapping[str, Callable[[PoolImage, Strategy], Iterator[Part]]] = {
    "images": _whole,
    "polygons": _polygons,
    "superpixels": _superpixels,
    "crops": _crops,
}
