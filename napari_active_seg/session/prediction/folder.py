"""Predict a folder of images and slides into files and tables."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.export import PredictionFolder
from napari_active_seg.images import ImageSource, open_image, scan_folder
from napari_active_seg.metrics.instances import InstanceRules, find_instances
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.model_access.inference import with_contours
from napari_active_seg.session.prediction.evaluate import object_maps
from napari_active_seg.session.prediction.task import PredictionChoices, iter_predictions
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["FolderResult", "predict_folder"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderResult:
    """How many images were predicted with how many objects, and which could not be read."""

    images: int
    objects: int
    before: int
    problems: tuple[str, ...]


def predict_folder(
    task: TaskContext, images_dir: Path, out: Path, choices: PredictionChoices
) -> FolderResult:
    """Predict the images of a folder that are not in ``out`` yet, then write the tables.

    A file that cannot be read is left out: it is named in the result, and its row of images.csv
    has the reason. ImageError where nothing can be read.
    """
    project = task.project
    model = choices.record(project)
    rules = InstanceRules.from_figures(model.metrics)
    options, key = with_contours(choices.options(project), rules), prediction_key(project, model)
    scanned = scan_folder(images_dir)
    for note in scanned.notes:
        _log.warning("%s: %s", images_dir, note)
    found = {image.id: image for image in scanned.images}
    if not found:
        raise NothingToDoError(f"there is no picture in {images_dir} that can be read")

    def open_found(image_id: str) -> ImageSource:
        return open_image(found[image_id].path, white=found[image_id].white)

    request = {"model": key, "measure": choices.measure, "asked_as": repr(options)}
    folder = PredictionFolder(out, list(found), project.schema, request=request)
    folder.begin()
    waiting = [image_id for image_id in found if not folder.is_done(image_id)]
    unread = {problem.file: problem.why for problem in scanned.problems}
    measure = get_measure(choices.measure)
    for image_id, outcome in iter_predictions(
        task, task.models.get(model), waiting, key=key, options=options, open_image=open_found
    ):
        if isinstance(outcome, Prediction):
            objects = None if rules is None else find_instances(object_maps(outcome.moments), rules)
            folder.keep(
                outcome,
                measure.compute(outcome.moments),
                objects=objects,
                spacing=open_found(image_id).spacing,
            )
        else:
            unread[image_id] = str(outcome)
    images, n_objects = folder.finish(unread=unread)
    problems = tuple(f"{name}: {why}" for name, why in unread.items())
    if problems and not images:
        raise ImageError(problems[0])
    return FolderResult(images, n_objects, len(found) - len(waiting), problems)
