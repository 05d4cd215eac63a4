"""Predict images and parts of slides, and store their moments on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource, is_read_whole, read_whole
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, describe_duration
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.regions import Region
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.prediction.slides import slide_map
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.uncertainty import Prediction

__all__ = [
    "PredictedBefore",
    "PredictionChoices",
    "PredictionResult",
    "iter_predictions",
    "predict_images",
    "predict_parts",
    "predict_readable_images",
]


@dataclass(frozen=True, slots=True)
class PredictedBefore:
    """How much of a larger set of images was predicted before, for the progress of the whole set.

    ``total`` is the number of images of the set; 0 where it has no others.
    """

    images: int = 0
    seconds: float = 0.0
    total: int = 0


@dataclass(frozen=True, slots=True)
class PredictionChoices:
    """The images, or the parts of slides, to predict, and how.

    ``model`` is the model to predict with; None stands for the one in use when the task runs.
    ``measure`` is the measure whose maps are wanted. ``note`` is added to the text of the progress.
    """

    image_ids: tuple[str, ...]
    measure: str
    samples: int | None = None
    model: ModelRecord | None = None
    parts: tuple[Region, ...] = ()
    before: PredictedBefore = PredictedBefore()
    note: str = ""

    def record(self, project: Project) -> ModelRecord:
        """Return the model to predict with; NothingToDoError where there is none."""
        model = self.model or project.models.in_use()
        if model is None:
            raise NothingToDoError(
                "there is no model yet; label a few proposed regions and train first"
            )
        return model

    def options(self, project: Project) -> InferenceOptions:
        """Return how the model predicts."""
        return inference_options(
            project, samples=self.samples, measure=self.measure, model=self.record(project)
        )


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """Which images were predicted, and which could not be read, with the reason.

    ``seconds`` is how long it took.
    """

    model_id: str
    image_ids: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float = 0.0

    @staticmethod
    def empty(model_id: str) -> PredictionResult:
        """Return the response of a model that predicted nothing yet."""
        return PredictionResult(model_id, (), ())

    def joined(self, other: PredictionResult) -> PredictionResult:
        """Return the response of two sets of images."""
        return PredictionResult(
            other.model_id,
            (*self.image_ids, *other.image_ids),
            (*self.problems, *other.problems),
            self.seconds + other.seconds,
        )


def predict_parts(task: TaskContext, choices: PredictionChoices) -> PredictionResult:
    """Predict each part of a slide at its full resolution and store it."""
    project = task.project
    model, options = choices.record(project), choices.options(project)
    segmenter, key = task.models.get(model), prediction_key(project, model)
    for number, region in enumerate(choices.parts):
        task.report(number, len(choices.parts), region.image_id)
        task.check_cancelled()
        pixels = task.open_image(region.image_id).read(
            0, region.y, region.x, region.height, region.width
        )
        outputs = segmenter.predict(pixels, plan=options, check_cancelled=task.check_cancelled)
        project.predictions.save_part(Prediction(region, outputs.moments, key))
    images = tuple(dict.fromkeys(region.image_id for region in choices.parts))
    return PredictionResult(key, images, ())


def predict_images(task: TaskContext, choices: PredictionChoices) -> PredictionResult:
    """Predict each image and store it at once, so that memory stays flat.

    ImageError if none of them can be read.
    """
    result = predict_readable_images(task, choices)
    if result.problems and not result.image_ids:
        raise ImageError(result.problems[0])
    return result


def predict_readable_images(task: TaskContext, choices: PredictionChoices) -> PredictionResult:
    """Predict the images that can be read, even if that is none of them."""
    began = time.monotonic()
    project = task.project
    model, options = choices.record(project), choices.options(project)
    segmenter, key = task.models.get(model), prediction_key(project, model)
    done, problems = [], []
    for image_id, outcome in iter_predictions(
        task,
        segmenter,
        choices.image_ids,
        key=key,
        options=options,
        before=choices.before,
        note=choices.note,
    ):
        if isinstance(outcome, ImageError):
            problems.append(f"{image_id}: {outcome}")
        else:
            project.predictions.save(outcome)
            done.append(image_id)
    seconds = time.monotonic() - began
    return PredictionResult(key, tuple(done), tuple(problems), seconds)


def iter_predictions(
    task: TaskContext,
    segmenter: Segmenter,
    image_ids: Sequence[str],
    *,
    key: str,
    options: InferenceOptions,
    open_image: Callable[[str], ImageSource] | None = None,
    before: PredictedBefore = PredictedBefore(),  # a frozen value
    note: str = "",
) -> Iterator[tuple[str, Prediction | ImageError]]:
    """Yield the prediction of each image under ``key``, or the error that kept it from being read.

    ``open_image`` opens images that are not the project's.
    """
    open_image, began = open_image or task.open_image, time.monotonic()
    total = before.total or len(image_ids)
    for number, image_id in enumerate(image_ids, before.images):
        seconds = before.seconds + time.monotonic() - began
        task.report(number, total, _describe_progress(number, total, seconds, note))
        task.check_cancelled()
        try:
            source = open_image(image_id)
            if is_read_whole(source.shape):
                outputs = segmenter.predict(
                    read_whole(source, image_id),
                    plan=options,
                    check_cancelled=task.check_cancelled,
                )
                moments, step = outputs.moments, 1
            else:
                moments, step = slide_map(
                    source, image_id, segmenter, options, task.check_cancelled, task.report
                )
        except ImageError as error:
            yield image_id, error
            continue
        yield image_id, Prediction(Region.whole(image_id, source.shape), moments, key, step)
    if before.images + len(image_ids) == total:
        task.report(total, total, "")


def _describe_progress(number: int, total: int, seconds: float, note: str) -> str:
    """Return which image is predicted, and how long all the rest should take."""
    text = f"Predicting image {number + 1} of {total}"
    if number:
        text += f", about {describe_duration(seconds / number * (total - number))} left"
    return f"{text}; {note}" if note else text
