"""Predict images with the model in use and keep the moments on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, goes_whole, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.regions import Region
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.session.steps.slide_map import slide_map
from napari_active_seg.uncertainty import Prediction

__all__ = [
    "PredictRequest",
    "PredictResponse",
    "iter_predictions",
    "predict_images",
    "predict_parts",
]

OpenSource = Callable[[str], ImageSource]


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Which images, or which parts of slides, by which model, asked how."""

    image_ids: tuple[str, ...]
    open_source: OpenSource
    load_segmenter: Callable[[], Segmenter]
    model_id: str
    plan: SamplingPlan
    keep: Callable[[Prediction], None]
    parts: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class PredictResponse:
    """Which images were predicted, and which could not be read, with the reason."""

    model_id: str
    image_ids: tuple[str, ...]
    problems: tuple[str, ...]


def predict_parts(request: PredictRequest, token: CancelToken, report: Report) -> PredictResponse:
    """Predict each part of a slide at its full resolution and hand it to ``keep``."""
    segmenter = request.load_segmenter()
    for number, region in enumerate(request.parts):
        report(number, len(request.parts), region.image_id)
        token.check()
        source = request.open_source(region.image_id)
        pixels = source.read(0, region.y, region.x, region.height, region.width)
        said = segmenter.predict(pixels, plan=request.plan, check_cancelled=token.check)
        request.keep(Prediction(region, said.moments, request.model_id))
    images = tuple(dict.fromkeys(region.image_id for region in request.parts))
    return PredictResponse(request.model_id, images, ())


def predict_images(request: PredictRequest, token: CancelToken, report: Report) -> PredictResponse:
    """Predict each image and hand it to ``keep`` at once, so that memory stays flat."""
    done, problems = [], []
    for image_id, outcome in iter_predictions(request, token, report):
        if isinstance(outcome, ImageError):
            problems.append(f"{image_id}: {outcome}")
        else:
            request.keep(outcome)
            done.append(image_id)
    if problems and not done:
        raise ImageError(problems[0])
    return PredictResponse(request.model_id, tuple(done), tuple(problems))


def iter_predictions(
    request: PredictRequest, token: CancelToken, report: Report
) -> Iterator[tuple[str, Prediction | ImageError]]:
    """Yield the prediction of each image, or the error that kept it from being read."""
    segmenter = request.load_segmenter()
    total = len(request.image_ids)
    for number, image_id in enumerate(request.image_ids):
        report(number, total, image_id)
        token.check()
        try:
            source = request.open_source(image_id)
            if goes_whole(source.shape):
                image = read_whole(source, image_id)
                said = segmenter.predict(image, plan=request.plan, check_cancelled=token.check)
                moments, step = said.moments, 1
            else:
                moments, step = slide_map(
                    source, image_id, segmenter, request.plan, token.check, report
                )
        except ImageError as error:
            yield image_id, error
            continue
        region = Region.whole(image_id, source.shape)
        yield image_id, Prediction(region, moments, request.model_id, step)
    report(total, total, "")
