"""Fit calibrations of a model on labelled images, and tell what they do on images left out."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from napari_active_seg.calibration import CalibrationTrial, PassSample, tried_calibrations
from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.regions import UNLABELLED
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.session.steps.evaluate import LabelledImage

__all__ = ["CalibrateRequest", "calibrate_model"]

_log = logging.getLogger(__name__)
#: Pixels that are fitted on, over all images; a handful of numbers needs no more.
_PIXELS = 10_000
#: Pixels of an image of which every pass is kept until some of them are drawn.
_PIXELS_OF_IMAGE = 60_000


@dataclass(frozen=True, slots=True)
class CalibrateRequest:
    """Which model, and on which images; ``groups`` are patients or slides."""

    images: tuple[LabelledImage, ...]
    groups: Mapping[str, str | None]
    load_segmenter: Callable[[], Segmenter]
    plan: SamplingPlan
    seed: int


def calibrate_model(
    request: CalibrateRequest, token: CancelToken, report: Report
) -> CalibrationTrial:
    """Return what every method does; NothingToDoError with fewer than two labelled images."""
    segmenter = request.load_segmenter()
    rng = np.random.default_rng(request.seed)
    most = max(200, _PIXELS // max(1, len(request.images)))
    samples = []
    for number, image in enumerate(request.images):
        token.check()
        report(number, len(request.images) + 1, f"asking about {image.id}")
        try:
            samples.append(_sample(request, segmenter, image, most, rng, token))
        except ImageError as error:
            _log.warning("left out of the calibration: %s", error)
    report(len(request.images), len(request.images) + 1, "fitting")
    trial = tried_calibrations(samples, groups=request.groups, check_cancelled=token.check)
    if trial is None:
        raise NothingToDoError(
            "a calibration is fitted on some labelled validation images and judged on others: it "
            "takes two at least, of two patients where these are known; label more of them"
        )
    return trial


def _sample(
    request: CalibrateRequest,
    segmenter: Segmenter,
    image: LabelledImage,
    most: int,
    rng: np.random.Generator,
    token: CancelToken,
) -> PassSample:
    pixels = read_whole(image.source(), image.id)
    step = max(1, math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / _PIXELS_OF_IMAGE)))
    plan = replace(request.plan, joint_stride=step, joint_picks=True)
    outputs = segmenter.predict(pixels, plan=plan, check_cancelled=token.check)
    if outputs.samples is None:
        raise ImageError(f"{image.id}: the model gave no single passes")
    target = image.target()[::step, ::step]
    there = np.flatnonzero(target.ravel() != UNLABELLED)
    kept = rng.permutation(there)[:most]
    passes, classes = outputs.samples.shape[:2]
    flat = outputs.samples.reshape(passes, classes, -1)
    return PassSample.of(image.id, flat[:, :, kept], target.ravel()[kept])
