"""Predictions of the model in use, of the image on screen first."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ActiveSegError, NothingToDoError
from napari_active_seg.images import is_read_whole
from napari_active_seg.jobs import JobKind
from napari_active_seg.jobs.queue import JobFuture
from napari_active_seg.metrics import EvalReport
from napari_active_seg.project import ModelRecord
from napari_active_seg.regions import Region
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.export_model import export_model
from napari_active_seg.session.labels.whole_images import LabelledImage
from napari_active_seg.session.model_access.cache_key import model_of, prediction_key
from napari_active_seg.session.model_access.ensembles import class_places
from napari_active_seg.session.output_folder import check_output_folder
from napari_active_seg.session.prediction.embeddings import embed_images
from napari_active_seg.session.prediction.evaluate import evaluate_model
from napari_active_seg.session.prediction.folder import FolderResult, predict_folder
from napari_active_seg.session.prediction.task import (
    PredictedBefore,
    PredictionChoices,
    PredictionResult,
    predict_images,
    predict_parts,
)
from napari_active_seg.session.state import Content, SessionState
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["PredictionService"]

#: Pixels around a region of a slide that are predicted too, and the largest part that is.
_LEAST_AROUND, _MOST_AROUND = 64, 4_000_000


class PredictionService:
    """Submits predictions and reads the stored ones.

    With ``follows_screen`` the image on screen is predicted automatically, before jobs that wait.
    """

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx
        self._tried: set[tuple[str, str, str]] = set()

    def of(self, image_id: str) -> Prediction | None:
        """Return the stored prediction of an image by the model in use; None without one."""
        model = self._ctx.state.model
        if model is None:
            return None
        return self._ctx.project.predictions.load(
            prediction_key(self._ctx.project, model), image_id
        )

    def near(self, region: Region) -> Prediction | None:
        """Return the stored prediction of every pixel of a region and of some around it.

        That is the prediction of the image, or of a slide the one around the region. None
        without one.
        """
        model = self._ctx.state.model
        if model is None:
            return None
        key = prediction_key(self._ctx.project, model)
        around = self._around(region)
        if around is None:
            return self._ctx.project.predictions.load(key, region.image_id)
        return self._ctx.project.predictions.load_part(key, around)

    def on_screen(self) -> tuple[Prediction, ...]:
        """Return the stored predictions of the image on screen, the finest first.

        Of a slide that is the one around the current region, and its coarse map.
        """
        state = self._ctx.state
        if state.image_id is None or state.model is None:
            return ()
        region = state.region
        here = region is not None and region.region.image_id == state.image_id
        near = self.near(region.region) if here and region is not None else None
        whole = self.of(state.image_id)
        named = get_measure(state.measure)
        found = [p for p in dict.fromkeys((near, whole)) if p is not None]
        return tuple(p for p in found if named.can_be_computed(p.moments))

    def may_know(self, region: Region) -> bool:
        """Return whether a region is predicted, or of a slide will be in a moment."""
        state = self._ctx.state
        if self.in_one_piece(region.image_id):
            return region.image_id in state.predicted
        return state.model is not None

    @property
    def why_none(self) -> str:
        """Why there is no prediction of what is on screen yet, and what to do."""
        if self._ctx.state.model is None:
            return "there is no prediction yet; label a few regions and train a model first"
        if JobKind.PREDICT_VISIBLE in self._ctx.jobs.kinds:
            return "this image is being predicted; try again in a moment"
        return "there is no prediction of this image yet; press Predict, or wait for what runs"

    def in_one_piece(self, image_id: str) -> bool:
        """Return whether an image is predicted whole, pixel for pixel, rather than as a slide."""
        return is_read_whole(self._ctx.project.images.ref(image_id).shape)

    def _around(self, region: Region) -> Region | None:
        """Return the part of a slide that is predicted for a region; None for other images."""
        shape = self._ctx.project.images.ref(region.image_id).shape
        if is_read_whole(shape):
            return None
        return region.grow(max(_LEAST_AROUND, max(region.shape) // 2), shape)

    def earlier_model(self) -> ModelRecord | None:
        """Return the model that came before the one in use; None where there is none."""
        state = self._ctx.state
        if state.model is None:
            return None
        before = [m for m in state.models if m.created_at < state.model.created_at]
        return max(before, key=lambda model: model.created_at, default=None)

    def disagreement(self, image_id: str) -> NDArray[np.float32] | None:
        """Return how much of the probability (H, W) two models give to different classes, 0 to 1.

        They are the one in use and the one before; None where either has no prediction.
        """
        model, earlier = self._ctx.state.model, self.earlier_model()
        if model is None or earlier is None:
            return None
        kept = self._ctx.project.predictions
        now = kept.load(prediction_key(self._ctx.project, model), image_id)
        before = kept.load(prediction_key(self._ctx.project, earlier), image_id)
        if now is None or before is None or now.mean_probs.shape != before.mean_probs.shape:
            return None
        moved: NDArray[np.float32] = np.abs(now.mean_probs - before.mean_probs).sum(axis=0) / 2
        return moved

    def _predict_with_earlier(self, image_id: str) -> JobFuture[PredictionResult]:
        earlier = self.earlier_model()
        if earlier is None:
            raise NothingToDoError("there is one model only; train again to compare two")

        def deliver(result: PredictionResult) -> PredictionResult:
            self._ctx.project.predictions.forget()
            self._ctx.content_changed.emit(Content.COMPARISONS)
            return result

        choices = PredictionChoices((image_id,), self._ctx.state.measure, model=earlier)
        task = partial(predict_images, choices=choices)
        return self._ctx.run(JobKind.PREDICT_EARLIER, task, deliver, reads_labels=False)

    def predict(
        self, image_ids: Sequence[str] | None = None, *, samples: int | None = None
    ) -> JobFuture[PredictionResult]:
        """Submit predictions of images, the one on screen first; see ``Session.predict``."""
        model, state = self._ctx.model, self._ctx.state  # raises at once where there is no model
        wanted = state.image_ids if image_ids is None else tuple(image_ids)
        wanted = tuple(sorted(wanted, key=lambda image_id: image_id != state.image_id))
        if not self._ctx.follows_screen:
            return self._predict(wanted, samples)
        whole = JobFuture[PredictionResult](self._ctx.jobs.pump)
        self._predict_one_by_one(wanted, samples, PredictionResult.empty(model.id), whole)
        return whole

    def embed(self, image_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean embedding (N, D) that the model in use has of each whole image."""
        task = partial(embed_images, image_ids=tuple(image_ids), model=self._ctx.model)
        return self._ctx.run(JobKind.EMBED, task, lambda found: found, writes=False).result()

    def evaluate(self, images: Sequence[LabelledImage] | None = None) -> JobFuture[EvalReport]:
        """Evaluate the model in use on ``images``, or on the labelled validation images."""
        _ = self._ctx.model  # raises at once where there is none
        task = partial(evaluate_model, images=images)
        return self._ctx.run(JobKind.EVALUATE, task, lambda report: report, writes=False)

    @overload
    def predict_folder(
        self,
        images_dir: Path | str,
        out: Path | str,
        *,
        measure: str | None = ...,
        samples: int | None = ...,
        wait: Literal[True] = ...,
    ) -> FolderResult: ...
    @overload
    def predict_folder(
        self,
        images_dir: Path | str,
        out: Path | str,
        *,
        measure: str | None = ...,
        samples: int | None = ...,
        wait: Literal[False],
    ) -> Future[FolderResult]: ...
    def predict_folder(
        self,
        images_dir: Path | str,
        out: Path | str,
        *,
        measure: str | None = None,
        samples: int | None = None,
        wait: bool = True,
    ) -> FolderResult | Future[FolderResult]:
        """Predict every image below a folder into files.

        Files that are there already from the same model and settings are kept.

        Parameters
        ----------
        images_dir
            Folder of images and slides.
        out
            Folder for masks, maps, objects and tables.
        measure
            Uncertainty measure of the maps; by default the one that is shown.
        samples
            Number of MC samples; by default the project's.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        FolderResult
            How many images and objects there are, and which files could not be read.

        Raises
        ------
        BadInputError
            If ``out`` is, holds or lies in a folder of images or the project.
        """
        model, images_dir, out = self._ctx.model, Path(images_dir), Path(out)
        check_output_folder(self._ctx.project, out, source=images_dir)
        choices = PredictionChoices(
            (), measure or self._ctx.state.measure, samples=samples, model=model
        )
        task = partial(predict_folder, images_dir=images_dir, out=out, choices=choices)
        future = self._ctx.run(
            JobKind.PREDICT, task, lambda result: result, writes=False, reads_labels=False
        )
        return future.result() if wait else future

    @overload
    def export_model(
        self, out: Path | str, *, overwrite: bool = ..., wait: Literal[True] = ...
    ) -> Path: ...
    @overload
    def export_model(
        self, out: Path | str, *, overwrite: bool = ..., wait: Literal[False]
    ) -> Future[Path]: ...
    def export_model(
        self, out: Path | str, *, overwrite: bool = False, wait: bool = True
    ) -> Path | Future[Path]:
        """Write the model in use, as checkpoints and ONNX, to the new folder ``out``."""
        model, out = self._ctx.model, Path(out)
        check_output_folder(self._ctx.project, out)
        task = partial(export_model, model=model, out=out, overwrite=overwrite)
        future = self._ctx.run(
            JobKind.EXPORT, task, lambda folder: folder, writes=False, reads_labels=False
        )
        return future.result() if wait else future

    @overload
    def predict_with_earlier(
        self, image_id: str, *, wait: Literal[True] = ...
    ) -> PredictionResult: ...
    @overload
    def predict_with_earlier(
        self, image_id: str, *, wait: Literal[False]
    ) -> Future[PredictionResult]: ...
    def predict_with_earlier(
        self, image_id: str, *, wait: bool = True
    ) -> PredictionResult | Future[PredictionResult]:
        """Predict an image with the model before the one in use; NothingToDoError without one."""
        future = self._predict_with_earlier(image_id)
        return future.result() if wait else future

    def prune(self) -> None:
        """Remove stored predictions of older models, and the oldest ones above the limit."""
        project = self._ctx.project
        if project.read_only:
            return
        in_use, earlier = project.models.in_use(), self.earlier_model()
        kept = {model.id for model in (in_use, earlier) if model is not None}
        freed = project.predictions.prune(
            keeps=lambda key: model_of(key) in kept,
            limit=round(project.config.cache_limit * 1e9),
        )
        if freed:
            self._ctx.update(predicted=self._ctx.predicted())

    def predict_visible(self) -> None:
        """Predict the image on screen next, where that is wanted and not done."""
        state = self._ctx.state
        if not self._ctx.follows_screen or state.read_only or state.model is None:
            return
        # another image was on screen when that was submitted
        self._ctx.jobs.drop(JobKind.PREDICT_VISIBLE)
        image_id = state.image_id
        if image_id is None or image_id in state.missing:
            return
        gone = class_places(self._ctx.project, state.model) is None
        runs = JobKind.PREDICT_VISIBLE in self._ctx.jobs.kinds  # it checks again once it has ended
        if gone or runs:
            return
        parts = self._unseen_part(state)
        slide = not self.in_one_piece(image_id)
        if not parts and (slide or image_id in state.predicted):
            return
        place = str(parts) if parts else image_id
        asked = (prediction_key(self._ctx.project, state.model), place, state.measure)
        if asked in self._tried:  # it failed or was stopped: only the person may try again
            return
        self._tried.add(asked)

        def deliver(result: PredictionResult) -> None:
            self._store(result)
            self.predict_visible()

        choices = PredictionChoices((image_id,), state.measure, parts=parts)
        task = partial(predict_parts if parts else predict_images, choices=choices)
        self._ctx.run(JobKind.PREDICT_VISIBLE, task, deliver, urgent=True, reads_labels=False)

    def _unseen_part(self, state: SessionState) -> tuple[Region, ...]:
        """Return the part of a slide around the current region, if it is not predicted."""
        region = None if state.region is None else state.region.region
        if region is None or state.model is None or region.image_id != state.image_id:
            return ()
        part, needs = self._around(region), get_measure(state.measure).needs
        if part is None or part.area > _MOST_AROUND:
            return ()
        key = prediction_key(self._ctx.project, state.model)
        seen = self._ctx.project.predictions.has_part(key, part, extra=needs)
        return () if seen else (part,)

    def _predict(
        self,
        image_ids: tuple[str, ...],
        samples: int | None,
        before: PredictedBefore = PredictedBefore(),  # noqa: B008  # a frozen value
    ) -> JobFuture[PredictionResult]:
        choices = PredictionChoices(image_ids, self._ctx.state.measure, samples, before=before)
        task = partial(predict_images, choices=choices)
        return self._ctx.run(JobKind.PREDICT, task, self._store, reads_labels=False)

    def _predict_one_by_one(
        self,
        image_ids: tuple[str, ...],
        samples: int | None,
        done: PredictionResult,
        whole: JobFuture[PredictionResult],
    ) -> None:
        """Predict the first image, then the others; resolve ``whole`` after the last."""
        n_done = len(done.image_ids) + len(done.problems)
        before = PredictedBefore(n_done, done.seconds, n_done + len(image_ids))

        def go_on(first: Future[PredictionResult]) -> None:
            if whole.cancelled():
                return
            if first.cancelled():
                whole.cancel()
            elif (error := first.exception()) is not None:
                whole.set_exception(error)
            elif len(image_ids) == 1:
                whole.set_result(done.joined(first.result()))
            else:
                so_far = done.joined(first.result())
                try:
                    self._predict_one_by_one(image_ids[1:], samples, so_far, whole)
                except ActiveSegError as refused:  # the project was taken over, or closed
                    whole.set_exception(refused)
                    self._ctx.jobs.failed.emit(refused)

        self._predict(image_ids[:1], samples, before).add_done_callback(go_on)

    def _store(self, response: PredictionResult) -> PredictionResult:
        """Take in predictions that were stored, perhaps by another process."""
        self._ctx.project.predictions.forget()
        self._ctx.update(predicted=self._ctx.predicted())
        self._ctx.content_changed.emit(Content.PREDICTIONS)
        return response
