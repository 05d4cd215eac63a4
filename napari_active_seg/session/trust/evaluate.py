"""Measure a model on labelled images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, goes_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.metrics import EvalReport, ObjectScores
from napari_active_seg.metrics.instances import InstanceRules, ObjectMaps, instances_of
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import UNLABELLED, Region, RegionLabel
from napari_active_seg.session.proposals.region_predictor import RegionPredictor, parts_of
from napari_active_seg.uncertainty import Moments, Prediction

__all__ = ["EvaluateRequest", "LabelledImage", "evaluate_model", "object_maps"]

_log = logging.getLogger(__name__)


def _no_objects() -> None:
    return None


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with ways to its pixels and to its target (H, W), 255 for not labelled.

    ``objects`` gives their ids (H, W) where they are told apart. ``labels`` are the regions that
    the target is made of, where it comes from a project.
    """

    id: str
    source: Callable[[], ImageSource]
    target: Callable[[], NDArray[np.uint8]]
    objects: Callable[[], NDArray[np.int32] | None] = _no_objects
    labels: tuple[RegionLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """Which model on which images."""

    images: tuple[LabelledImage, ...]
    load_segmenter: Callable[[], Segmenter]
    model_id: str
    classes: tuple[str, ...]
    plan: InferenceOptions
    rules: InstanceRules | None = None  # how objects are told apart, where the model draws outlines

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that are read."""
        return tuple(image.id for image in self.images)


def evaluate_model(
    request: EvaluateRequest,
    token: CancelToken,
    report: ProgressCallback,
    *,
    on_maps: Callable[[ObjectMaps], None] | None = None,
) -> EvalReport:
    """Predict each image with the averaged passes and compare it with its target.

    Objects are told apart by the rules of a model that draws outlines, else by connected areas.
    Images that cannot be read are logged and left out; ImageError if none can. ``on_maps`` gets
    what is known of the objects of each image, where the plan asks for outlines. Of a slide what is
    labelled is measured part by part, without objects.
    """
    objects = ObjectScores()
    said = RegionPredictor(request.load_segmenter(), request.plan, token.check)
    evaluated = EvalReport.empty(request.classes)
    problems: list[ImageError] = []
    for number, labelled in enumerate(request.images):
        token.check()
        report(number, len(request.images), f"measuring {labelled.id}")
        try:
            source = labelled.source()
            if not goes_whole(source.shape):
                evaluated = _with_slide(evaluated, request, labelled, source, said)
                continue
            region = Region.whole(labelled.id, source.shape)
            moments = said.of(source, region)
        except ImageError as error:
            _log.warning("left out of the measurement: %s", error)
            problems.append(error)
            continue
        target = labelled.target()
        evaluated = evaluated.add(Prediction(region, moments, request.model_id), target)
        if "contour" in moments.extras:
            maps = _known_maps(moments, labelled, target)
            if on_maps is not None:
                on_maps(maps)
            if request.rules is not None and maps.truth is not None:
                objects = objects.add(instances_of(maps, request.rules), maps.truth)
        elif (within := _known_part(target)) and (known := labelled.objects()) is not None:
            found, _ = ndimage.label(moments.mean_p.argmax(axis=0)[within] > 0)
            objects = objects.add(found, known[within])
    if problems and len(problems) == len(request.images):
        raise problems[0]
    return evaluated.with_objects(objects) if objects.n_images else evaluated


def _with_slide(
    evaluated: EvalReport,
    request: EvaluateRequest,
    labelled: LabelledImage,
    source: ImageSource,
    said: RegionPredictor,
) -> EvalReport:
    """Return the report with the labelled parts of a slide added."""
    whole = Region.whole(labelled.id, source.shape)
    targets = [(label.region, label.target) for label in labelled.labels]
    for region, target in targets or [(whole, labelled.target())]:
        for part in parts_of(region, source.shape):
            rows = slice(part.y - region.y, part.bottom - region.y)
            own = target[rows, part.x - region.x : part.right - region.x]
            if (own != UNLABELLED).any():
                moments = said.of(source, part)
                evaluated = evaluated.add(Prediction(part, moments, request.model_id), own)
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
