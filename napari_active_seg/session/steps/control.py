"""Control squares: the model in use is measured on each before its label enters training.

Afterwards nothing that was trained here could say how good it is on them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.metrics import EvalReport
from napari_active_seg.regions import Region, RegionLabel
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.uncertainty import Prediction

__all__ = ["CONTROL_EVENT", "ControlScore", "ControlSquare", "measure_controls"]

_log = logging.getLogger(__name__)
#: Under which name the project's diary keeps a score.
CONTROL_EVENT = "measured before training"
#: Pixels around a square of an image that is too large to be predicted as a whole.
_SURROUNDINGS = 128


@dataclass(frozen=True, slots=True)
class ControlSquare:
    """A finished control square on which no model has been measured yet."""

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
    found = []
    for number, square in enumerate(squares):
        token.check()
        report(number, len(squares), "measuring the model in use on control squares")
        region = square.label.region
        try:
            source = open_source(region.image_id)
            around, pixels = _around(source, region)
        except ImageError as error:
            _log.warning("a control square was not measured: %s", error)
            continue
        moments = segmenter.predict(pixels, plan=plan, check_cancelled=token.check).moments
        y, x = region.y - around.y, region.x - around.x
        inside = moments.cropped(y, x, region.height, region.width)
        evaluated = EvalReport.empty(classes).add(
            Prediction(region, inside, model_id), square.label.target
        )
        found.append(ControlScore(square.region_id, model_id, _facts(evaluated)))
    return tuple(found)


def _around(source: ImageSource, region: Region) -> tuple[Region, NDArray[np.uint8]]:
    """Return the image with its pixels, or what is about the region where it is a slide."""
    try:
        return Region.whole(region.image_id, source.shape), read_whole(source, region.image_id)
    except ImageError:  # a slide
        around = region.grown(_SURROUNDINGS, source.shape)
        return around, source.read(0, around.y, around.x, around.height, around.width)


def _facts(evaluated: EvalReport) -> dict[str, object]:
    return {
        **evaluated.figures(),
        "pixels": int(evaluated.confusion.n_pixels),
        "confusion": evaluated.confusion.counts.tolist(),
        "classes": list(evaluated.classes),
    }
