"""Predict a folder of pictures and slides into files and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.export import PredictionFolder
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.session.prediction.task import (
    PredictRequest,
    iter_predictions,
)
from napari_active_seg.uncertainty import Measure, Prediction

__all__ = ["FolderRequest", "FolderResponse", "predict_folder"]


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """What to predict, what the maps show, how objects are told apart, and where it all goes.

    ``unreadable`` are files that the scan of the folder could not read, each with the reason.
    """

    predict: PredictRequest
    folder: PredictionFolder
    measure: Measure
    objects_of: Callable[[Prediction], NDArray[np.int32] | None]
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FolderResponse:
    """How many images were predicted with how many objects, and which could not be read."""

    images: int
    objects: int
    before: int
    problems: tuple[str, ...]


def predict_folder(
    request: FolderRequest, token: CancelToken, report: ProgressCallback
) -> FolderResponse:
    """Predict what is not there yet, image by image, then write the tables.

    A file that cannot be read is left out: it is named in the response, and its row of images.csv
    has the reason. ImageError where nothing can be read.
    """
    folder = request.folder
    folder.begin()
    asked = request.predict.image_ids
    waiting = tuple(image_id for image_id in asked if not folder.is_done(image_id))
    unread = dict(request.unreadable)
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
            unread[image_id] = str(outcome)
    images, objects = folder.finish(unread=unread)
    problems = tuple(f"{name}: {why}" for name, why in unread.items())
    if problems and not images:
        raise ImageError(problems[0])
    return FolderResponse(images, objects, len(asked) - len(waiting), problems)
