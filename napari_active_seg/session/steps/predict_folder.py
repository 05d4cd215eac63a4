"""Predict a folder of pictures and slides into files and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.export import PredictionFolder
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.session.steps.predict import (
    PredictRequest,
    iter_predictions,
)
from napari_active_seg.uncertainty import Measure, Prediction

__all__ = ["FolderRequest", "FolderResponse", "predict_folder"]


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """What to predict, what the maps show, how objects are told apart, and where it all goes."""

    predict: PredictRequest
    folder: PredictionFolder
    measure: Measure
    objects_of: Callable[[Prediction], NDArray[np.int32] | None]


@dataclass(frozen=True, slots=True)
class FolderResponse:
    """How many images and objects the tables hold, and which images could not be read."""

    images: int
    objects: int
    before: int
    problems: tuple[str, ...]


def predict_folder(request: FolderRequest, token: CancelToken, report: Report) -> FolderResponse:
    """Predict what is not there yet, image by image, then write the tables.

    An image that cannot be read is told of and left out.
    """
    folder = request.folder
    folder.begin()
    asked = request.predict.image_ids
    waiting = tuple(image_id for image_id in asked if not folder.is_done(image_id))
    problems = []
    for image_id, outcome in iter_predictions(
        replace(request.predict, image_ids=waiting), token, report
    ):
        if isinstance(outcome, Prediction):
            folder.keep(
                outcome,
                request.measure.compute(outcome.moments),
                objects=request.objects_of(outcome),
                spacing=request.predict.open_source(image_id).spacing,
            )
        else:
            problems.append(f"{image_id}: {outcome}")
    images, objects = folder.finish()
    return FolderResponse(images, objects, len(asked) - len(waiting), tuple(problems))
