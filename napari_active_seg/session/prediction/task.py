"""Predict images with the model in use and keep the moments on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource, goes_whole, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, describe_duration
from napari_active_seg.regions import Region
from napari_active_seg.session.prediction.slides import slide_map
from napari_active_seg.uncertainty import Prediction

__all__ = [
    "PredictRequest",
    "PredictResponse",
    "PredictedBefore",
    "iter_predictions",
    "predict_images",
    "predict_parts",
    "predict_readable_images",
]

OpenSource = Callable[[str], ImageSource]


@dataclass(frozen=True, slots=True)
class PredictedBefore:
    """How much of a larger set of images was predicted before, for the progress of the whole set.

    ``total`` is the number of images of the set; 0 where the request is all of it.
    """

    images: int = 0
    seconds: float = 0.0
    total: int = 0


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Which images, or which parts of slides, by which model, asked how.

    ``note`` is added to the text of the progress.
    """

    image_ids: tuple[str, ...]
    open_source: OpenSource
    load_segmenter: Callable[[], Segmenter]
    model_id: str
    plan: InferenceOptions
    keep: Callable[[Prediction], None]
    parts: tuple[Region, ...] = ()
    before: PredictedBefore = PredictedBefore()
    note: str = ""


@dataclass(frozen=True, slots=True)
class PredictResponse:
    """Which images were predicted, and which could not be read, with the reason.

    ``seconds`` is how long it took.
    """

    model_id: str
    image_ids: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float = 0.0

    @staticmethod
    def empty(model_id: str) -> PredictResponse:
        """Return the response of a model that predicted nothing yet."""
        return PredictResponse(model_id, (), ())

    def joined(self, other: PredictResponse) -> PredictResponse:
        """Return the response of two sets of images."""
        return PredictResponse(
            other.model_id,
            (*self.image_ids, *other.image_ids),
            (*self.problems, *other.problems),
            self.seconds + other.seconds,
        )


def predict_parts(
    request: PredictRequest, token: CancelToken, report: ProgressCallback
) -> PredictResponse:
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


def predict_images(
    request: PredictRequest, token: CancelToken, report: ProgressCallback
) -> PredictResponse:
    """Predict each image and hand it to ``keep`` at once, so that memory stays flat.

    ImageError if none of them can be read.
    """
    response = predict_readable_images(request, token, report)
    if response.problems and not response.image_ids:
        raise ImageError(response.problems[0])
    return response


def predict_readable_images(
    request: PredictRequest, token: CancelToken, report: ProgressCallback
) -> PredictResponse:
    """Predict the images that can be read, even if that is none of them."""
    began = time.monotonic()
    done, problems = [], []
    for image_id, outcome in iter_predictions(request, token, report):
        if isinstance(outcome, ImageError):
            problems.append(f"{image_id}: {outcome}")
        else:
            request.keep(outcome)
            done.append(image_id)
    seconds = time.monotonic() - began
    return PredictResponse(request.model_id, tuple(done), tuple(problems), seconds)


def iter_predictions(
    request: PredictRequest, token: CancelToken, report: ProgressCallback
) -> Iterator[tuple[str, Prediction | ImageError]]:
    """Yield the prediction of each image, or the error that kept it from being read."""
    segmenter = request.load_segmenter()
    before, began = request.before, time.monotonic()
    total = before.total or len(request.image_ids)
    for number, image_id in enumerate(request.image_ids, before.images):
        seconds = before.seconds + time.monotonic() - began
        report(number, total, _describe_progress(number, total, seconds, request.note))
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
    if before.images + len(request.image_ids) == total:
        report(total, total, "")


def _describe_progress(number: int, total: int, seconds: float, note: str) -> str:
    """Return which image is predicted, and how long all the rest should take."""
    text = f"Predicting image {number + 1} of {total}"
    if number:
        text += f", about {describe_duration(seconds / number * (total - number))} left"
    return f"{text}; {note}" if note else text
