"""Fit calibrations of a model on labelled images, and tell what they do on images left out."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration import CalibrationTrial, PassSample, cross_validate_calibration
from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource, goes_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.session.proposals.region_predictor import parts_of
from napari_active_seg.session.trust.evaluate import LabelledImage

__all__ = ["CalibrateRequest", "calibrate_model"]

_log = logging.getLogger(__name__)
#: Pixels that are fitted on, over all images; a handful of numbers needs no more.
_PIXELS = 10_000
#: Pixels of an image of which every pass is kept until some of them are drawn.
_PIXELS_OF_IMAGE = 60_000
#: With more classes than this there are fewer pixels, so that time and memory stay the same.
_FEW_CLASSES = 8
#: Labelled regions of a slide that are asked about.
_OF_SLIDE = 12


@dataclass(frozen=True, slots=True)
class CalibrateRequest:
    """Which model, and on which images; ``groups`` are patients or slides."""

    images: tuple[LabelledImage, ...]
    groups: Mapping[str, str | None]
    load_segmenter: Callable[[], Segmenter]
    plan: InferenceOptions
    seed: int


def calibrate_model(
    request: CalibrateRequest, token: CancelToken, report: ProgressCallback
) -> CalibrationTrial:
    """Return what every method does; NothingToDoError with fewer than two labelled images."""
    segmenter = request.load_segmenter()
    rng = np.random.default_rng(request.seed)
    share = _share_of_pixels(segmenter)
    most = max(50, round(share * max(200, _PIXELS // max(1, len(request.images)))))
    samples = []
    for number, image in enumerate(request.images):
        token.check()
        report(number, len(request.images) + 1, f"asking about {image.id}")
        try:
            samples.append(_sample(request, segmenter, image, most, rng, token))
        except ImageError as error:
            _log.warning("left out of the calibration: %s", error)
    report(len(request.images), len(request.images) + 1, "fitting")
    trial = cross_validate_calibration(samples, groups=request.groups, check_cancelled=token.check)
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
    source = image.source()
    pieces = _pieces(image, source, rng)
    area = sum(region.area for region, _ in pieces)
    step = max(1, math.ceil(math.sqrt(area / (_share_of_pixels(segmenter) * _PIXELS_OF_IMAGE))))
    plan = request.plan.with_changes(joint_stride=step, joint_picks=True)
    passes, classes = [], []
    for region, target in pieces:
        pixels = source.read(0, region.y, region.x, region.height, region.width)
        samples = segmenter.predict(pixels, plan=plan, check_cancelled=token.check).samples
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
    if goes_whole(source.shape):
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
