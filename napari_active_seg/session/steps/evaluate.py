"""Measure a model on labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.metrics import EvalReport
from napari_active_seg.regions import Region
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.uncertainty import Prediction

__all__ = ["EvaluateRequest", "LabelledImage", "evaluate_model"]


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
    samples: int
    seed: int


def evaluate_model(request: EvaluateRequest, token: CancelToken, report: Report) -> EvalReport:
    """Predict each image with the averaged passes and compare it with its target."""
    segmenter = request.load_segmenter()
    evaluated = EvalReport.empty(request.classes)
    for number, labelled in enumerate(request.images):
        token.check()
        report(number, len(request.images), f"measuring {labelled.id}")
        source = labelled.source()
        outputs = segmenter.predict(
            source.read(0, 0, 0, *source.shape),
            samples=request.samples,
            seed=request.seed,
            check_cancelled=token.check,
        )
        region = Region.whole(labelled.id, source.shape)
        evaluated = evaluated.add(
            Prediction(region, outputs.moments, request.model_id), labelled.target()
        )
    return evaluated
