"""What the model in use says of images: asked for in the order in which a person looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.images import goes_whole
from napari_active_seg.jobs.queue import JobQueue, JobRequest, Work
from napari_active_seg.metrics import EvalReport
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.regions import Region
from napari_active_seg.session.check_images import CheckImages
from napari_active_seg.session.export_model import export_model, model_request
from napari_active_seg.session.output_folder import check_output_folder
from napari_active_seg.session.prediction.cache_key import predicted_images, prediction_key
from napari_active_seg.session.prediction.embeddings import EmbedRequest, embed_images
from napari_active_seg.session.prediction.ensembles import class_places
from napari_active_seg.session.prediction.folder import FolderResponse, predict_folder
from napari_active_seg.session.prediction.model_cache import ModelCache
from napari_active_seg.session.prediction.requests import (
    evaluate_request,
    predict_folder_request,
    predict_request,
)
from napari_active_seg.session.prediction.task import (
    PredictedBefore,
    PredictRequest,
    PredictResponse,
    predict_images,
    predict_parts,
)
from napari_active_seg.session.state import SessionState
from napari_active_seg.session.trust.evaluate import LabelledImage, evaluate_model
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["PredictionService"]

#: The job that predicts the image on screen.
_LOOKING = "looking at this image"
#: Of a slide so many pixels about a region are looked at, at least, and no part larger than this.
_LEAST_AROUND, _MOST_AROUND = 64, 4_000_000


class PredictionService:
    """Orders predictions and knows which there are.

    With ``follows_screen`` the image on screen is predicted by itself, before anything that waits.
    """

    def __init__(
        self,
        project: Project,
        shelf: ModelCache,
        jobs: JobQueue,
        state: Callable[[], SessionState],
        apply: Callable[..., None],
        *,
        order: Callable[..., None],
        follows_screen: bool,
    ) -> None:
        self._project, self._shelf, self._jobs = project, shelf, jobs
        self._state, self._apply, self._order = state, apply, order
        self._follows_screen = follows_screen
        self._tried: set[tuple[str, str, str]] = set()

    def model(self) -> ModelRecord:
        """Return the model in use; NothingToDoError if there is none yet."""
        model = self._state().model
        if model is None:
            raise NothingToDoError(
                "there is no model yet; label a few proposed regions and train first"
            )
        return model

    def of(self, image_id: str) -> Prediction | None:
        """Return what the model in use said of an image; None if it was not asked yet."""
        model = self._state().model
        if model is None:
            return None
        return self._project.predictions.load(prediction_key(self._project, model), image_id)

    def near(self, region: Region) -> Prediction | None:
        """Return what the model in use says of every pixel of a region and of some about it.

        That is the prediction of the image, or of a slide what was asked about the region. None
        if it was not asked yet.
        """
        model = self._state().model
        if model is None:
            return None
        key = prediction_key(self._project, model)
        around = self._around(region)
        if around is None:
            return self._project.predictions.load(key, region.image_id)
        return self._project.predictions.load_part(key, around)

    def on_screen(self) -> tuple[Prediction, ...]:
        """Return what is known of the image on show, the finest first.

        Of a slide that is what was asked about the region in hand, and its coarse map.
        """
        state = self._state()
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
        state = self._state()
        if self.in_one_piece(region.image_id):
            return region.image_id in state.predicted
        return state.model is not None

    @property
    def why_none(self) -> str:
        """Why there is no prediction of what is on screen yet, and what to do."""
        if self._state().model is None:
            return "there is no prediction yet; label a few regions and train a model first"
        if _LOOKING in self._jobs.names:
            return "the model is looking at this image; try again in a moment"
        return "there is no prediction of this image yet; press Predict, or wait for what runs"

    def in_one_piece(self, image_id: str) -> bool:
        """Return whether an image is predicted whole, pixel for pixel, rather than as a slide."""
        return goes_whole(self._project.images.ref(image_id).shape)

    def _around(self, region: Region) -> Region | None:
        """Return the part of a slide that is looked at for a region; None for other images."""
        shape = self._project.images.ref(region.image_id).shape
        if goes_whole(shape):
            return None
        return region.grown(max(_LEAST_AROUND, max(region.shape) // 2), shape)

    def earlier_model(self) -> ModelRecord | None:
        """Return the model that came before the one in use; None where there is none."""
        state = self._state()
        if state.model is None:
            return None
        before = [m for m in state.models if m.created_at < state.model.created_at]
        return max(before, key=lambda model: model.created_at, default=None)

    def disagreement(self, image_id: str) -> NDArray[np.float32] | None:
        """Return how much of the probability (H, W) two models give to different classes, 0 to 1.

        They are the one in use and the one before; None where either was not asked yet.
        """
        model, earlier = self._state().model, self.earlier_model()
        if model is None or earlier is None:
            return None
        kept = self._project.predictions
        now = kept.load(prediction_key(self._project, model), image_id)
        before = kept.load(prediction_key(self._project, earlier), image_id)
        if now is None or before is None or now.mean_probs.shape != before.mean_probs.shape:
            return None
        moved: NDArray[np.float32] = np.abs(now.mean_probs - before.mean_probs).sum(axis=0) / 2
        return moved

    def ask_earlier(self, image_id: str) -> None:
        """Let the model before say what it thinks of an image too; NothingToDoError without one."""
        earlier = self.earlier_model()
        if earlier is None:
            raise NothingToDoError("there is one model only; train again to compare two")

        def prepare() -> Work:
            request = predict_request(
                self._project,
                earlier,
                partial(self._shelf.load_ensemble, earlier),
                image_ids=[image_id],
                samples=None,
                measure=self._state().measure,
            )
            return partial(predict_images, request)

        def deliver(result: object) -> None:
            if isinstance(result, PredictResponse):
                self._project.predictions.forget()
                self._apply(compared=self._state().compared + 1)

        order = JobRequest(f"asking {earlier.id}", prepare, deliver, queueable=True, picklable=True)
        self._order(order, reads_labels=False)

    def known(self) -> frozenset[str]:
        """Return the images of which the model in use has said what the measure needs."""
        state = self._state()
        return predicted_images(self._project, state.image_ids, state.measure)

    def request(
        self,
        image_ids: Sequence[str],
        *,
        samples: int | None = None,
        parts: Sequence[Region] = (),
    ) -> PredictRequest:
        """Return the request to predict images, or parts of slides, with the model in use."""
        model = self.model()
        return predict_request(
            self._project,
            model,
            partial(self._shelf.segmenter, model),
            image_ids=image_ids,
            samples=samples,
            measure=self._state().measure,
            parts=parts,
        )

    def predict(self, wanted: tuple[str, ...], *, samples: int | None) -> None:
        """Order predictions of images, the one on screen first."""
        self.model()  # refuses at once where there is none
        on_screen = tuple(i for i in wanted if i == self._state().image_id)
        self._predict(on_screen + tuple(i for i in wanted if i not in on_screen), samples)

    def embed(
        self, image_ids: Sequence[str], *, on_done: Callable[[NDArray[np.float32]], None]
    ) -> None:
        """Order where the model in use sees whole images: an embedding each, (N, D)."""
        model = self.model()
        request = EmbedRequest(
            tuple(image_ids), self._project.images.source, partial(self._shelf.segmenter, model)
        )

        def deliver(result: object) -> None:
            if isinstance(result, np.ndarray):
                on_done(result)

        order = JobRequest(
            "looking", lambda: partial(embed_images, request), deliver, queueable=True
        )
        self._order(order, writes=False)

    def evaluate(
        self,
        *,
        images: Sequence[LabelledImage] | None = None,
        on_report: Callable[[EvalReport], None],
    ) -> None:
        """Measure the model in use on ``images``, or on the labelled validation images."""
        self.model()

        def prepare() -> Work:
            model = self.model()
            load = partial(self._shelf.segmenter, model)
            request = evaluate_request(self._project, model, load, images=images)
            own = request.image_ids if images is None else ()
            return CheckImages(
                self._project.images.find_changed, own, partial(evaluate_model, request)
            )

        def deliver(result: object) -> None:
            if isinstance(result, EvalReport):
                on_report(result)

        order = JobRequest("measuring", prepare, deliver, queueable=True, picklable=True)
        self._order(order, writes=False)

    def predict_folder(
        self,
        images_dir: Path,
        out: Path,
        *,
        measure: str | None = None,
        samples: int | None = None,
        on_done: Callable[[FolderResponse], None] | None = None,
    ) -> None:
        """Order a prediction of every picture below ``images_dir`` into files below ``out``.

        What is there already from the same model and settings is not predicted again.
        BadInputError at once where ``out`` is, holds or lies in a folder of images, or the project.
        """
        model = self.model()
        check_output_folder(self._project, out, source=images_dir)
        request = predict_folder_request(
            self._project,
            model,
            partial(self._shelf.segmenter, model),
            images_dir=images_dir,
            out=out,
            measure=measure or self._state().measure,
            samples=samples,
        )

        def deliver(result: object) -> None:
            if isinstance(result, FolderResponse) and on_done is not None:
                on_done(result)

        order = JobRequest("predicting", lambda: partial(predict_folder, request), deliver)
        self._order(order, writes=False, reads_labels=False)

    def export_model(
        self, out: Path, *, overwrite: bool = False, on_done: Callable[[Path], None] | None = None
    ) -> None:
        """Order the model in use, as checkpoints and ONNX, into the new folder ``out``."""
        model = self.model()
        check_output_folder(self._project, out)
        request = model_request(
            self._project,
            model,
            partial(self._shelf.load_ensemble, model),
            out,
            overwrite=overwrite,
        )

        def deliver(_result: object) -> None:
            if on_done is not None:
                on_done(out)

        order = JobRequest("exporting", lambda: partial(export_model, request), deliver)
        self._order(order, writes=False, reads_labels=False)

    def predict_visible(self) -> None:
        """Let the image on screen be predicted next, where that is wanted and not done."""
        state = self._state()
        if not self._follows_screen or state.read_only or state.model is None:
            return
        self._jobs.drop(_LOOKING)  # another image was on screen when that was ordered
        image_id = state.image_id
        if image_id is None or image_id in state.missing:
            return
        gone = class_places(self._project, state.model) is None
        if gone or _LOOKING in self._jobs.names:  # that looks here once it has ended
            return
        parts = self._unseen_part(state)
        slide = not self.in_one_piece(image_id)
        if not parts and (slide or image_id in state.predicted):
            return
        place = str(parts) if parts else image_id
        asked = (prediction_key(self._project, state.model), place, state.measure)
        if asked in self._tried:  # it failed or was stopped: the person may ask, we do not
            return
        self._tried.add(asked)

        def prepare() -> Work:
            request = self.request([image_id], parts=parts)
            return partial(predict_parts if parts else predict_images, request)

        def deliver(result: object) -> None:
            self._take(result)
            self.predict_visible()

        order = JobRequest(_LOOKING, prepare, deliver, urgent=True, queueable=True, picklable=True)
        self._order(order, reads_labels=False)

    def _unseen_part(self, state: SessionState) -> tuple[Region, ...]:
        """Return the part of a slide about the region in hand, if the model was not asked."""
        region = None if state.region is None else state.region.region
        if region is None or state.model is None or region.image_id != state.image_id:
            return ()
        part, needs = self._around(region), get_measure(state.measure).needs
        if part is None or part.area > _MOST_AROUND:
            return ()
        key = prediction_key(self._project, state.model)
        seen = self._project.predictions.has_part(key, part, extra=needs)
        return () if seen else (part,)

    def _predict(
        self,
        wanted: tuple[str, ...],
        samples: int | None,
        before: PredictedBefore = PredictedBefore(),  # noqa: B008  # a frozen value
    ) -> None:
        now, later = (wanted[:1], wanted[1:]) if self._follows_screen else (wanted, ())
        so_far = replace(before, total=before.images + len(wanted))

        def prepare() -> Work:
            request = replace(self.request(now, samples=samples), before=so_far)
            return partial(predict_images, request)

        def deliver(result: object) -> None:
            self._take(result)
            if later:
                took = result.seconds if isinstance(result, PredictResponse) else 0.0
                done, seconds = so_far.images + len(now), so_far.seconds + took
                self._predict(later, samples, PredictedBefore(done, seconds))

        order = JobRequest("predicting", prepare, deliver, queueable=True, picklable=True)
        self._order(order, reads_labels=False)

    def _take(self, result: object) -> None:
        if isinstance(result, PredictResponse):
            self._project.predictions.forget()  # another process may have written them
            self._apply(predicted=self.known(), near=self._state().near + 1)
