"""Measure a model on labelled images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource, is_read_whole
from napari_active_seg.metrics import EvalReport, ObjectScores
from napari_active_seg.metrics.instances import InstanceRules, ObjectMaps, find_instances
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.project import ModelRecord, Split
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.session.labels.whole_images import LabelledImage, labelled_images
from napari_active_seg.session.model_access.inference import inference_options, with_contours
from napari_active_seg.session.prediction.region_predictor import RegionPredictor, parts_of
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.uncertainty import Moments, Prediction

__all__ = ["evaluate_model", "evaluate_segmenter", "object_maps"]

_log = logging.getLogger(__name__)
#: Why nothing can be evaluated, by split.
_NO_IMAGES = {
    Split.VALIDATION: (
        "no validation image is labelled: label some (propose puts squares for validation into "
        "the queue), or name other images with their masks (--images, --masks)"
    ),
    Split.TEST: (
        "no test image is labelled; set some aside when the project is made "
        "(--test-fraction), and label the squares that are proposed on them"
    ),
}


def evaluate_model(
    task: TaskContext,
    model: ModelRecord | None = None,
    images: Sequence[LabelledImage] | None = None,
    *,
    split: Split = Split.VALIDATION,
) -> EvalReport:
    """Evaluate a model, or the one in use, on ``images`` or on the labelled images of a split.

    On the validation a calibration is left out, since it was fitted on just these images.
    """
    project = task.project
    model = model or project.models.in_use()
    if model is None:
        raise NothingToDoError("there is no model yet; label a few regions and train first")
    chosen = labelled_images(project, split) if images is None else tuple(images)
    if not chosen:
        raise NothingToDoError(_NO_IMAGES[split])
    if images is None:
        task.check_images(image.id for image in chosen)
    on_validation = images is None and split is Split.VALIDATION
    rules = InstanceRules.from_figures(model.metrics) if split is Split.VALIDATION else None
    options = inference_options(project, model=None if on_validation else model)
    return evaluate_segmenter(
        task,
        task.models.get(model),
        chosen,
        model_id=model.id,
        options=with_contours(options, rules),
        rules=rules,
    )


def evaluate_segmenter(
    task: TaskContext,
    segmenter: Segmenter,
    images: Sequence[LabelledImage],
    *,
    model_id: str,
    options: InferenceOptions,
    rules: InstanceRules | None = None,
    on_maps: Callable[[ObjectMaps], None] | None = None,
) -> EvalReport:
    """Predict each image with the averaged samples and compare it with its target.

    Objects are told apart by the ``rules`` of a model that draws outlines, else by connected areas.
    Images that cannot be read are logged and left out; ImageError if none can. ``on_maps`` gets
    the object maps of each image, where the options ask for contours. Of a slide the labelled
    regions are evaluated part by part, without objects.
    """
    objects = ObjectScores()
    predictor = RegionPredictor(segmenter, options, task.check_cancelled)
    evaluated = EvalReport.empty(task.project.schema.names)
    problems: list[ImageError] = []
    for number, labelled in enumerate(images):
        task.check_cancelled()
        task.report(number, len(images), f"evaluating {labelled.id}")
        try:
            source = labelled.source()
            if not is_read_whole(source.shape):
                evaluated = _with_slide(evaluated, model_id, labelled, source, predictor)
                continue
            region = Region.whole(labelled.id, source.shape)
            moments = predictor.predict(source, region)
        except ImageError as error:
            _log.warning("left out of the measurement: %s", error)
            problems.append(error)
            continue
        target = labelled.target()
        evaluated = evaluated.add(Prediction(region, moments, model_id), target)
        if "contour" in moments.extras:
            maps = _known_maps(moments, labelled, target)
            if on_maps is not None:
                on_maps(maps)
            if rules is not None and maps.truth is not None:
                objects = objects.add(find_instances(maps, rules), maps.truth)
        elif (within := _known_part(target)) and (known := labelled.objects()) is not None:
            found, _ = ndimage.label(moments.mean_p.argmax(axis=0)[within] > 0)
            objects = objects.add(found, known[within])
    if problems and len(problems) == len(images):
        raise problems[0]
    return evaluated.with_objects(objects) if objects.n_images else evaluated


def _with_slide(
    evaluated: EvalReport,
    model_id: str,
    labelled: LabelledImage,
    source: ImageSource,
    predictor: RegionPredictor,
) -> EvalReport:
    """Return the report with the labelled parts of a slide added."""
    whole = Region.whole(labelled.id, source.shape)
    targets = [(label.region, label.target) for label in labelled.labels]
    for region, target in targets or [(whole, labelled.target())]:
        for part in parts_of(region, source.shape):
            rows = slice(part.y - region.y, part.bottom - region.y)
            own = target[rows, part.x - region.x : part.right - region.x]
            if (own != UNLABELLED).any():
                moments = predictor.predict(source, part)
                evaluated = evaluated.add(Prediction(part, moments, model_id), own)
    return evaluated


def object_maps(moments: Moments) -> ObjectMaps:
    """Return the maps that objects are made of; the first class is what lies between them."""
    return ObjectMaps(1 - moments.mean_p[0], moments.extras["contour"])


def _known_maps(moments: Moments, labelled: LabelledImage, target: NDArray[np.uint8]) -> ObjectMaps:
    """Return the maps of what is labelled, with the true objects by id, or by connected areas.

    Without the truth where the labels have gaps: an object that was found there is not wrong.
    """
    within = _known_part(target)
    if within is None:
        return object_maps(moments)
    maps, known = object_maps(moments), labelled.objects()
    ids = ndimage.label(target > 0)[0] if known is None else known
    return ObjectMaps(
        maps.objects[within], maps.contours[within], np.asarray(ids[within], np.int32)
    )


def _known_part(target: NDArray[np.uint8]) -> tuple[slice, slice] | None:
    """Return the one rectangle that is labelled, as where an image was padded; None else."""
    labelled = target != UNLABELLED
    if not labelled.any():
        return None
    rows, columns = np.flatnonzero(labelled.any(axis=1)), np.flatnonzero(labelled.any(axis=0))
    within = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return within if labelled[within].all() else None
