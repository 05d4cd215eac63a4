"""Fit calibrations of a model on labelled images, and tell what they do on images left out."""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration import CalibrationTrial, PassSample, cross_validate_calibration
from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource, is_read_whole
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.project import ModelRecord
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.session.labels.whole_images import LabelledImage, labelled_images
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.prediction.region_predictor import parts_of
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.trust.finished_regions import groups_of

__all__ = ["calibrate_model"]

_log = logging.getLogger(__name__)
#: Pixels that are fitted on, over all images; a handful of numbers needs no more.
_PIXELS = 10_000
#: Pixels of an image of which every pass is kept until some of them are drawn.
_PIXELS_OF_IMAGE = 60_000
#: With more classes than this there are fewer pixels, so that time and memory stay the same.
_FEW_CLASSES = 8
#: Labelled regions of a slide that are asked about.
_OF_SLIDE = 12


def calibrate_model(task: TaskContext, model: ModelRecord) -> CalibrationTrial:
    """Fit every method on the labelled validation; NothingToDoError with fewer than two images."""
    project = task.project
    images, groups = labelled_images(project), groups_of(project)
    if not images:
        raise NothingToDoError(
            "no validation image is labelled, and a calibration is fitted on these alone; label "
            "some (propose puts squares for validation into the queue), or make the project with "
            "masks (--masks)"
        )
    task.check_images(image.id for image in images)
    segmenter, options = task.models.load_ensemble(model), inference_options(project)
    rng = np.random.default_rng(project.config.seed)
    share = _share_of_pixels(segmenter)
    most = max(50, round(share * max(200, _PIXELS // max(1, len(images)))))
    samples = []
    for number, image in enumerate(images):
        task.check_cancelled()
        task.report(number, len(images) + 1, f"asking about {image.id}")
        try:
            samples.append(_sample(task, segmenter, options, image, most, rng))
        except ImageError as error:
            _log.warning("left out of the calibration: %s", error)
    task.report(len(images), len(images) + 1, "fitting")
    trial = cross_validate_calibration(samples, groups=groups, check_cancelled=task.check_cancelled)
    if trial is None:
        raise NothingToDoError(
            "a calibration is fitted on some labelled validation images and judged on others: it "
            "takes two at least, of two patients where these are known; label more of them"
        )
    return trial


def _sample(
    task: TaskContext,
    segmenter: Segmenter,
    options: InferenceOptions,
    image: LabelledImage,
    most: int,
    rng: np.random.Generator,
) -> PassSample:
    source = image.source()
    pieces = _pieces(image, source, rng)
    area = sum(region.area for region, _ in pieces)
    step = max(1, math.ceil(math.sqrt(area / (_share_of_pixels(segmenter) * _PIXELS_OF_IMAGE))))
    plan = options.with_changes(joint_stride=step, joint_picks=True)
    passes, classes = [], []
    for region, target in pieces:
        pixels = source.read(0, region.y, region.x, region.height, region.width)
        samples = segmenter.predict(pixels, plan=plan, check_cancelled=task.check_cancelled).samples
        if samples is None:
            raise ImageError(f"{image.id}: the model gave no single passes")
        passes.append(samples.reshape(*samples.shape[:2], -1))
        classes.append(target[::step, ::step].ravel())
    flat, known = np.concatenate(passes, axis=2), np.concatenate(classes)
    kept = rng.permutation(np.flatnonzero(known != UNLABELLED))[:most]
    return PassSample.of(image.id, flat[:, :, kept], known[kept])


def _share_of_pixels(segmenter: Segmenter) -> float:
    """Return the share of the usual pixels that many classes leave room for."""
    return min(1.0, _FEW_CLASSES / len(segmenter.classes))


def _pieces(
    image: LabelledImage, source: ImageSource, rng: np.random.Generator
) -> list[tuple[Region, NDArray[np.uint8]]]:
    """Return the image with its target, of a slide some labelled parts with theirs."""
    whole = Region.whole(image.id, source.shape)
    if is_read_whole(source.shape):
        return [(whole, image.target())]
    labelled = [(label.region, label.target) for label in image.labels]
    parts = [
        (
            part,
            target[part.y - region.y : part.bottom - region.y, part.x - region.x :][
                :, : part.width
            ],
        )
        for region, target in labelled or [(whole, image.target())]
        for part in parts_of(region, source.shape)
    ]
    told = [(part, own) for part, own in parts if (own != UNLABELLED).any()]
    return [told[k] for k in rng.permutation(len(told))[:_OF_SLIDE].tolist()]
