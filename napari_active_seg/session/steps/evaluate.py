"""Measure a model on labelled images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.metrics import EvalReport
from napari_active_seg.regions import Region
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.uncertainty import Prediction

__all__ = ["EvaluateRequest", "LabelledImage", "evaluate_model"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with ways to its pixels and to its target (H, W), 255 for not labelled."""

    id: str
    source: Callable[[], ImageSource]
    target: Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """Which model on which images."""

    images: tuple[LabelledImage, ...]
    load_segmenter: Callable[[], Segmenter]
    model_id: str
    classes: tuple[str, ...]
    plan: SamplingPlan


def evaluate_model(request: EvaluateRequest, token: CancelToken, report: Report) -> EvalReport:
    """Predict each image with the averaged passes and compare it with its target.

    Images that cannot be read are logged and left out; ImageError if none can.
    """
    segmenter = request.load_segmenter()
    evaluated = EvalReport.empty(request.classes)
    problems: list[ImageError] = []
    for number, labelled in enumerate(request.images):
        token.check()
        report(number, len(request.images), f"measuring {labelled.id}")
        try:
            source = labelled.source()
            pixels = read_whole(source, labelled.id)
        except ImageError as error:
            _log.warning("left out of the measurement: %s", error)
            problems.append(error)
            continue
        outputs = segmenter.predict(pixels, plan=request.plan, check_cancelled=token.check)
        region = Region.whole(labelled.id, source.shape)
        evaluated = evaluated.add(
            Prediction(region, outputs.moments, request.model_id), labelled.target()
        )
    if problems and len(problems) == len(request.images):
        raise problems[0]
    return evaluated
