"""The model in use is measured on what was drawn, before its label enters training.

Afterwards nothing that was trained here could say how good it is there. Control squares were drawn
evenly; other regions with a probability that was written down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.metrics import EvalReport, report_to_facts
from napari_active_seg.regions import Region, RegionLabel
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.uncertainty import Moments, Prediction

__all__ = ["CONTROL_EVENT", "ControlScore", "ControlSquare", "measure_controls"]

_log = logging.getLogger(__name__)
#: Under which name the project's diary keeps a score.
CONTROL_EVENT = "measured before training"
#: Figures that are kept by name beside the sums that they come from.
_KEPT = ("mean_dice", "accuracy", "nll", "brier", "ece")
#: Pixels around a square of an image that is too large to be predicted as a whole.
_SURROUNDINGS = 128


@dataclass(frozen=True, slots=True)
class ControlSquare:
    """A finished region that was drawn, and on which no model has been measured yet."""

    region_id: str
    label: RegionLabel


@dataclass(frozen=True, slots=True)
class ControlScore:
    """How the model ``model_id`` did on a square that it had not learned from.

    Without a model nothing was measured, and nothing can be once its label was trained on.
    """

    region_id: str
    model_id: str | None
    facts: Mapping[str, object] = field(default_factory=dict)


def measure_controls(
    squares: Sequence[ControlSquare],
    *,
    model_id: str | None,
    load: Callable[[], Segmenter] | None,
    open_source: Callable[[str], ImageSource],
    plan: SamplingPlan,
    classes: tuple[str, ...],
    token: CancelToken,
    report: Report,
) -> tuple[ControlScore, ...]:
    """Return a score for each square; those of images that cannot be read wait for another time."""
    if not squares:
        return ()
    if load is None or model_id is None:
        return tuple(ControlScore(square.region_id, None) for square in squares)
    segmenter = load()
    found: list[ControlScore] = []
    wholes = _Wholes(segmenter, open_source, plan, token)
    for number, square in enumerate(sorted(squares, key=lambda s: s.label.region.image_id)):
        token.check()
        report(number, len(squares), "measuring the model in use on drawn regions")
        region = square.label.region
        try:
            inside = wholes.said_of(region)
        except ImageError as error:
            _log.warning("a drawn region was not measured: %s", error)
            continue
        evaluated = EvalReport.empty(classes).add(
            Prediction(region, inside, model_id), square.label.target
        )
        found.append(ControlScore(square.region_id, model_id, _facts(evaluated)))
    return tuple(found)


class _Wholes:
    """What a model says of regions; an image is predicted once while its regions follow."""

    def __init__(
        self,
        segmenter: Segmenter,
        open_source: Callable[[str], ImageSource],
        plan: SamplingPlan,
        token: CancelToken,
    ) -> None:
        self._segmenter, self._open_source = segmenter, open_source
        self._plan, self._token = plan, token
        self._last: tuple[Region, Moments] | None = None

    def said_of(self, region: Region) -> Moments:
        """Return the moments inside a region."""
        if self._last is None or not _holds(self._last[0], region):
            source = self._open_source(region.image_id)
            around, pixels = _around(source, region)
            said = self._segmenter.predict(
                pixels, plan=self._plan, check_cancelled=self._token.check
            )
            self._last = (around, said.moments)
        around, moments = self._last
        return moments.cropped(region.y - around.y, region.x - around.x, *region.shape)


def _holds(around: Region, region: Region) -> bool:
    """Return whether a region lies in a larger one with its surroundings, or in a whole image."""
    return (
        around.image_id == region.image_id
        and around.y == around.x == 0
        and region.bottom <= around.bottom
        and region.right <= around.right
    )


def _around(source: ImageSource, region: Region) -> tuple[Region, NDArray[np.uint8]]:
    """Return the image with its pixels, or what is about the region where it is a slide."""
    try:
        return Region.whole(region.image_id, source.shape), read_whole(source, region.image_id)
    except ImageError:  # a slide
        around = region.grown(_SURROUNDINGS, source.shape)
        return around, source.read(0, around.y, around.x, around.height, around.width)


def _facts(evaluated: EvalReport) -> dict[str, object]:
    figures = evaluated.figures()
    return {
        **{name: figures[name] for name in _KEPT if name in figures},
        "pixels": int(evaluated.confusion.n_pixels),
        "classes": list(evaluated.classes),
        "report": report_to_facts(replace(evaluated, errors={})),
    }
