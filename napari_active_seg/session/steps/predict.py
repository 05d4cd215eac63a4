"""Predict images with the model in use and keep the moments on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.regions import Region
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter
from napari_active_seg.uncertainty import Prediction

__all__ = ["PredictRequest", "PredictResponse", "iter_predictions", "predict_images"]

OpenSource = Callable[[str], ImageSource]


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Which images, by which model, asked how."""

    image_ids: tuple[str, ...]
    open_source: OpenSource
    load_segmenter: Callable[[], Segmenter]
    model_id: str
    plan: SamplingPlan
    keep: Callable[[Prediction], None]


@dataclass(frozen=True, slots=True)
class PredictResponse:
    """Which images were predicted, and which could not be read, with the reason."""

    model_id: str
    image_ids: tuple[str, ...]
    problems: tuple[str, ...]


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
            image = read_whole(source, image_id)
        except ImageError as error:
            yield image_id, error
            continue
        outputs = segmenter.predict(image, plan=request.plan, check_cancelled=token.check)
        region = Region.whole(image_id, source.shape)
        yield image_id, Prediction(region, outputs.moments, request.model_id)
    report(total, total, "")
