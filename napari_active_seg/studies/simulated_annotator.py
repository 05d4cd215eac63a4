"""A simulated annotator, with settings for its precision, speed and mistakes.

Everything random about a region depends on the seed and the region alone, so that the annotator
always labels the same region in the same way.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.acquisition import simplify_outlines
from napari_active_seg.acquisition.polygon_simplification import polygon_mask
from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import UNLABELLED, Effort, MaskedRegion
from napari_active_seg.session.labels.task import Annotate

__all__ = ["AnnotatorSettings", "Answer", "annotate_with", "answer", "simplified"]

#: How far shifts of an unsteady hand are alike, in pixels.
_HAND = 6.0
#: Outlines are counted in clicks at this tolerance where none is drawn.
_CLICK_TOLERANCE = 3.0


@dataclass(frozen=True, slots=True)
class AnnotatorSettings:
    """How a simulated annotator works; the usual one is exact and never tires.

    ``tolerance`` is how far a drawn polygon may be from the outline, in pixels (Ramer, Douglas and
    Peucker), 0 for pixel by pixel. ``jitter`` is how far a hand is off, one standard deviation in
    pixels. ``missed`` and ``confused`` are shares of objects: left out, or given another class.
    Seconds are ``base_s`` and ``per_click_s`` a vertex and ``per_pixel_s`` a pixel, times chance
    with a deviation of ``noise`` (of the logarithm). ``fatigue`` is how many times slower and more
    often wrong a hundred regions make.
    """

    tolerance: float = 0.0
    jitter: float = 0.0
    missed: float = 0.0
    confused: float = 0.0
    base_s: float = 3.0
    per_click_s: float = 1.2
    per_pixel_s: float = 1e-4
    noise: float = 0.0
    fatigue: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("missed", "confused"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        for name in (
            "tolerance", "jitter", "base_s", "per_click_s", "per_pixel_s", "noise", "fatigue"
        ):  # fmt: skip
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be 0 or more, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A target (h, w), and what it took: pixels, clicks, edges of outlines, seconds."""

    target: NDArray[np.uint8]
    pixels: int
    clicks: int
    perimeter: int
    seconds: float


def answer(
    truth: NDArray[np.uint8],
    place: MaskedRegion,
    settings: AnnotatorSettings,
    *,
    n_classes: int,
    before: int = 0,
) -> Answer:
    """Return the labels of an annotator for the truth (h, w) of a region, after ``before`` others.

    The first class is what is left over; the others are objects. What is not known stays so.
    """
    rng = np.random.default_rng((settings.seed, _number_of(place)))
    tired = 1.0 + settings.fatigue * before / 100
    known = (truth != UNLABELLED) & place.mask
    drawn = _with_mistakes(truth, settings, rng, n_classes, tired)
    if settings.jitter:
        drawn = _unsteady(drawn, settings.jitter * tired, rng)
    polygons, clicks = _outlined(drawn, settings.tolerance or _CLICK_TOLERANCE)
    if settings.tolerance:
        drawn = polygons
    target = np.where(known, drawn, np.uint8(UNLABELLED)).astype(np.uint8)
    edges = int((drawn[:, 1:] != drawn[:, :-1]).sum() + (drawn[1:] != drawn[:-1]).sum())
    pixels = int(known.sum())
    seconds = settings.base_s + settings.per_click_s * clicks + settings.per_pixel_s * pixels
    chance = float(np.exp(rng.normal(0, settings.noise))) if settings.noise else 1.0
    return Answer(target, pixels, clicks, edges, seconds * tired * chance)


def annotate_with(settings: AnnotatorSettings, *, n_classes: int) -> Annotate:
    """Return an annotator as a session asks one: truth, place and regions before, to an answer."""

    def annotate(
        truth: NDArray[np.uint8], place: MaskedRegion, before: int
    ) -> tuple[NDArray[np.uint8], Effort]:
        given = answer(truth, place, settings, n_classes=n_classes, before=before)
        effort = Effort(active_s=given.seconds, clicks=given.clicks, changed_px=given.pixels)
        return given.target, effort

    return annotate


def simplified(classes: NDArray[np.uint8], tolerance: float) -> NDArray[np.uint8]:
    """Return classes (h, w) with every object drawn as its simplified polygons, holes among them.

    Larger objects are drawn first, so that one inside another stays; an object that becomes less
    than a triangle is lost, as it would be to somebody who clicks that coarsely.
    """
    return _outlined(classes, tolerance)[0]


def _outlined(classes: NDArray[np.uint8], tolerance: float) -> tuple[NDArray[np.uint8], int]:
    """Return classes drawn as polygons and the number of vertices; one click if there is none."""
    drawn, clicks = np.zeros_like(classes), 0
    drawn[classes == UNLABELLED] = UNLABELLED
    parts = sorted(_objects(classes), key=lambda part: -int(part[1].sum()))
    for index, mask, (rows, columns) in parts:
        own = np.zeros(mask.shape, bool)
        for ring in simplify_outlines(mask, tolerance):
            own ^= polygon_mask(ring, (mask.shape[0], mask.shape[1]))
            clicks += len(ring)
        window = drawn[rows, columns]
        window[own & (window != UNLABELLED)] = index
    return drawn, max(1, clicks)


def _objects(
    classes: NDArray[np.uint8],
) -> list[tuple[int, NDArray[np.bool_], tuple[slice, slice]]]:
    """Return class, mask and window of each connected area of every class but the first."""
    found = []
    for index in np.unique(classes):
        if index in (0, UNLABELLED):
            continue
        labels, _ = ndimage.label(classes == index)
        for number, window in enumerate(ndimage.find_objects(labels), 1):
            found.append((int(index), labels[window] == number, window))
    return found


def _with_mistakes(
    truth: NDArray[np.uint8],
    settings: AnnotatorSettings,
    rng: np.random.Generator,
    n_classes: int,
    tired: float,
) -> NDArray[np.uint8]:
    """Return the truth with objects left out, and taken for others, by chance."""
    drawn = truth.copy()
    if not (settings.missed or settings.confused):
        return drawn
    for index, mask, (rows, columns) in _objects(truth):
        left_out, taken_for = rng.random(2)
        others = [k for k in range(1, n_classes) if k != index]
        window = drawn[rows, columns]
        if left_out < settings.missed * tired:
            window[mask] = 0
        elif others and taken_for < settings.confused * tired:
            window[mask] = rng.choice(others)
    return drawn


def _unsteady(
    classes: NDArray[np.uint8], jitter: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return classes (h, w) with outlines shifted smoothly by ``jitter`` pixels or so."""
    shifts = rng.normal(size=(2, *classes.shape))
    smooth = np.stack([ndimage.gaussian_filter(shift, _HAND, mode="wrap") for shift in shifts])
    smooth *= jitter / max(float(smooth.std()), 1e-9)
    at = np.indices(classes.shape) + smooth
    moved: NDArray[np.uint8] = ndimage.map_coordinates(classes, at, order=0, mode="nearest")
    moved[classes == UNLABELLED] = UNLABELLED
    moved[(moved == UNLABELLED) & (classes != UNLABELLED)] = 0
    return moved


def _number_of(place: MaskedRegion) -> int:
    region = place.region
    name = f"{region.image_id}:{region.y}:{region.x}:{region.height}:{region.width}"
    return zlib.crc32(name.encode())
