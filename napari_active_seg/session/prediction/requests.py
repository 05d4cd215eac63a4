"""Requests frozen out of a project and a state: what a step needs to know, and no more."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.export import PredictionFolder
from napari_active_seg.images import (
    FoundImage,
    ImageSource,
    open_image,
    scan_folder,
)
from napari_active_seg.metrics.instances import InstanceRules, instances_of
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.project import ModelRecord, Project, Split
from napari_active_seg.regions import Region, RegionLabel
from napari_active_seg.session.export import composed_target
from napari_active_seg.session.prediction.cache_key import prediction_key
from napari_active_seg.session.prediction.folder import FolderRequest
from napari_active_seg.session.prediction.task import PredictRequest
from napari_active_seg.session.trust.evaluate import EvaluateRequest, LabelledImage, object_maps
from napari_active_seg.session.trust.store import calibration_in_force
from napari_active_seg.uncertainty import Prediction, get_measure

_log = logging.getLogger(__name__)
#: Whole-image maps of more pixels than this are shown coarser.
_SHOWN_WHOLE = 16_000_000
#: Kinds of regions on which no model is measured.
_UNMEASURED = frozenset({RegionKind.MANUAL})

__all__ = [
    "coarse_step",
    "evaluate_request",
    "labelled_images",
    "labels_so_far",
    "load_prediction",
    "predict_folder_request",
    "predict_request",
    "sampling_plan",
]


def sampling_plan(
    project: Project,
    *,
    samples: int | None = None,
    measure: str | None = None,
    model: ModelRecord | None = None,
) -> InferenceOptions:
    """Return how the project asks its models, with the extra output that ``measure`` needs.

    With ``model`` its calibration is applied, where one is in force.
    """
    config = project.config
    needed = None if measure is None else get_measure(measure).needs
    return config.inference.with_changes(
        samples=config.inference.samples if samples is None else samples,
        seed=config.seed,
        extras=() if needed is None else (needed,),
        fitted_calibration=calibration_in_force(project, model),
    )


def predict_request(
    project: Project,
    model: ModelRecord,
    load_segmenter: Callable[[], Segmenter],
    *,
    image_ids: Sequence[str],
    samples: int | None,
    measure: str,
    parts: Sequence[Region] = (),
) -> PredictRequest:
    """Return the request to predict ``image_ids`` with ``model``, with all ``measure`` needs.

    Of slides it is ``parts`` that are predicted, where some are given.
    """
    return PredictRequest(
        image_ids=tuple(image_ids),
        open_source=project.images.source,
        load_segmenter=load_segmenter,
        model_id=prediction_key(project, model),
        plan=sampling_plan(project, samples=samples, measure=measure, model=model),
        keep=project.predictions.save_part if parts else project.predictions.save,
        parts=tuple(parts),
    )


def predict_folder_request(
    project: Project,
    model: ModelRecord,
    load_segmenter: Callable[[], Segmenter],
    *,
    images_dir: Path,
    out: Path,
    measure: str,
    samples: int | None,
) -> FolderRequest:
    """Return the request to predict a folder of pictures and slides into files below ``out``."""
    rules = InstanceRules.from_figures(model.metrics)
    scanned = scan_folder(images_dir)
    for note in scanned.notes:
        _log.warning("%s: %s", images_dir, note)
    found = {image.id: image for image in scanned.images}
    if not found:
        raise NothingToDoError(f"there is no picture in {images_dir} that can be read")
    request = predict_request(
        project, model, load_segmenter, image_ids=list(found), samples=samples, measure=measure
    )
    plan = _with_outlines(request.plan, rules)
    asked = {"model": request.model_id, "measure": measure, "asked_as": repr(plan)}
    return FolderRequest(
        predict=replace(request, open_source=partial(_open_found, found), plan=plan),
        folder=PredictionFolder(out, list(found), project.schema, asked=asked),
        measure=get_measure(measure),
        objects_of=partial(_objects_by, rules),
        unreadable={problem.file: problem.why for problem in scanned.problems},
    )


def _open_found(found: Mapping[str, FoundImage], image_id: str) -> ImageSource:
    return open_image(found[image_id].path, white=found[image_id].white)


def _objects_by(rules: InstanceRules | None, prediction: Prediction) -> NDArray[np.int32] | None:
    return None if rules is None else instances_of(object_maps(prediction.moments), rules)


def load_prediction(project: Project, key: str | None, image_id: str) -> Prediction | None:
    """Return what is kept under a key of an image; None without a key, or where nothing is."""
    return None if key is None else project.predictions.load(key, image_id)


def evaluate_request(
    project: Project,
    model: ModelRecord,
    load_segmenter: Callable[[], Segmenter],
    *,
    images: Sequence[LabelledImage] | None,
) -> EvaluateRequest:
    """Return the request to measure ``model`` on ``images``, or on the labelled validation.

    There it is measured without a calibration, which was fitted on just these images.
    """
    chosen = labelled_images(project) if images is None else tuple(images)
    if not chosen:
        raise NothingToDoError(
            "no validation image is labelled: label some (propose puts squares for validation into "
            "the queue), or name other images with their masks (--images, --masks)"
        )
    rules = InstanceRules.from_figures(model.metrics)
    return EvaluateRequest(
        images=chosen,
        load_segmenter=load_segmenter,
        model_id=model.id,
        classes=project.schema.names,
        plan=_with_outlines(sampling_plan(project, model=None if images is None else model), rules),
        rules=rules,
    )


def _with_outlines(plan: InferenceOptions, rules: InstanceRules | None) -> InferenceOptions:
    """Return the plan with outlines asked for, where there are rules to make objects of them."""
    return plan if rules is None else plan.with_changes(extras=(*plan.extras, "contour"))


def labelled_images(project: Project, split: Split = Split.VALIDATION) -> tuple[LabelledImage, ...]:
    """Return the images of a split that carry labels.

    Regions that a person placed by hand are left out: a score of them would be biased.
    """
    refs = project.images.all(split)
    by_image: dict[str, list[RegionLabel]] = {}
    for label in project.labels.done([ref.id for ref in refs], without=_UNMEASURED):
        by_image.setdefault(label.region.image_id, []).append(label)
    return tuple(
        LabelledImage(
            ref.id,
            partial(project.images.source, ref.id),
            partial(labels_so_far, project, ref.id, without=_UNMEASURED),
            partial(objects_so_far, project, ref.id, without=_UNMEASURED),
            tuple(by_image[ref.id]),
        )
        for ref in refs
        if ref.id in by_image
    )


def labels_so_far(
    project: Project, image_id: str, *, step: int = 1, without: Collection[RegionKind] = ()
) -> NDArray[np.uint8]:
    """Return the target of all finished regions of an image, every ``step``-th pixel of it.

    Regions of the kinds ``without`` are left out.
    """
    shape = project.images.ref(image_id).shape
    return composed_target(shape, project.labels.done([image_id], without=without), step=step)


def objects_so_far(
    project: Project, image_id: str, *, without: Collection[RegionKind] = ()
) -> NDArray[np.int32] | None:
    """Return the ids of the objects of an image; None where some of its labels tell none apart."""
    labels = project.labels.done([image_id], without=without)
    whole = np.zeros(project.images.ref(image_id).shape, np.int32)
    for label in labels:
        if label.objects is None:
            return None
        own = np.where(label.objects > 0, label.objects + whole.max(), 0)
        whole[label.region.slices] = own
    return whole if labels else None


def coarse_step(shape: tuple[int, int]) -> int:
    """Return how many pixels become one where a whole slide is shown: 1 for plain images."""
    return max(1, math.ceil(math.sqrt(shape[0] * shape[1] / _SHOWN_WHOLE)))
