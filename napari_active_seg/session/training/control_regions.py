"""The model in use is measured on what was drawn, before its label enters training.

Afterwards no model of the project could be evaluated there. Control squares were drawn
evenly; other regions with a probability that was written down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.metrics import EvalReport, report_to_facts
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import RegionLabel
from napari_active_seg.session.prediction.region_predictor import RegionPredictor
from napari_active_seg.uncertainty import Prediction

__all__ = ["CONTROL_EVENT", "ControlScore", "ControlSquare", "measure_controls"]

_log = logging.getLogger(__name__)
#: Under which name the project's diary keeps a score.
CONTROL_EVENT = "measured before training"
#: Figures that are stored by name, next to the sums that they come from.
_KEPT = ("mean_dice", "accuracy", "nll", "brier", "ece")


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
    plan: InferenceOptions,
    classes: tuple[str, ...],
    token: CancelToken,
    report: ProgressCallback,
) -> tuple[ControlScore, ...]:
    """Return a score for each square; those of images that cannot be read wait for another time."""
    if not squares:
        return ()
    if load is None or model_id is None:
        return tuple(ControlScore(square.region_id, None) for square in squares)
    found: list[ControlScore] = []
    predictor = RegionPredictor(load(), plan, token.check)
    for number, square in enumerate(sorted(squares, key=lambda s: s.label.region.image_id)):
        token.check()
        report(number, len(squares), "measuring the model in use on drawn regions")
        region = square.label.region
        try:
            inside = predictor.predict(open_source(region.image_id), region)
        except ImageError as error:
            _log.warning("a drawn region was not measured: %s", error)
            continue
        evaluated = EvalReport.empty(classes).add(
            Prediction(region, inside, model_id), square.label.target
        )
        found.append(ControlScore(square.region_id, model_id, _facts(evaluated)))
    return tuple(found)


def _facts(evaluated: EvalReport) -> dict[str, object]:
    figures = evaluated.figures()
    return {
        **{name: figures[name] for name in _KEPT if name in figures},
        "pixels": int(evaluated.confusion.n_pixels),
        "classes": list(evaluated.classes),
        "report": report_to_facts(replace(evaluated, errors={})),
    }
