"""The conductor: freezes requests, hands them to the runner, and stores what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_active_seg.acquisition import CostModel, Proposal
from napari_active_seg.errors import ActiveSegError, BusyError, NothingToDoError
from napari_active_seg.export import exporter_named
from napari_active_seg.images import LevelArray, lazy_levels, read_whole
from napari_active_seg.jobs import CancelToken, Finished, Job, Progress, Runner
from napari_active_seg.jobs.job import Report
from napari_active_seg.metrics import EvalReport
from napari_active_seg.project import ModelRecord, Project, Split
from napari_active_seg.segmenter import SegmenterFactory
from napari_active_seg.session.label_desk import LabelDesk
from napari_active_seg.session.model_shelf import ModelShelf
from napari_active_seg.session.prediction_key import predicted_images, prediction_key
from napari_active_seg.session.requests import (
    chosen_strategy,
    evaluate_request,
    predict_folder_request,
    predict_request,
    propose_request,
    train_request,
)
from napari_active_seg.session.state import SessionState, initial_state
from napari_active_seg.session.steps.evaluate import LabelledImage, evaluate_model
from napari_active_seg.session.steps.export import ExportRequest, ExportResponse, export_labels
from napari_active_seg.session.steps.predict import PredictResponse, predict_images
from napari_active_seg.session.steps.propose import propose_regions
from napari_active_seg.session.steps.train import TrainResponse, train_model
from napari_active_seg.session.upkeep import Upkeep
from napari_active_seg.uncertainty import Prediction, measure_named

__all__ = ["Session"]


class Session:
    """One open project and the verbs of the loop.

    Verbs that compute return at once; their result arrives with ``state_changed``, or
    ``failed`` carries the error. ``wait`` blocks until then and raises it.
    """

    state_changed = Signal(SessionState, SessionState)  # new, old
    progressed = Signal(Progress)
    failed = Signal(Exception)

    def __init__(
        self,
        project: Project,
        segmenters: SegmenterFactory,
        runner: Runner,
        *,
        cost: CostModel | None = None,
    ) -> None:
        self.project = project
        self.last_training: TrainResponse | None = None
        self._segmenters = segmenters
        self._shelf = ModelShelf(project, segmenters)
        self._runner = runner
        self._cost = cost or CostModel()
        self._generation = 0
        self._on_result: Callable[[object], None] | None = None
        self._error: BaseException | None = None
        self._state = initial_state(project)
        self.labels = LabelDesk(project, lambda: self._state, self._set, start=self._start)
        self.upkeep = Upkeep(
            project,
            lambda: self._state,
            self._set,
            start=self._start,
            flush=self.labels.flush,
            predicted=self._predicted_now,
        )
        runner.finished.connect(self._deliver, thread="main")
        runner.progressed.connect(self.progressed.emit, thread="main")
        self.labels.saver.failed.connect(self.failed.emit, thread="main")

    # --- what is ---------------------------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """The current snapshot."""
        return self._state

    def read_image(self, image_id: str) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3) uint8 of an image."""
        return read_whole(self.project.images.source(image_id), image_id)

    def image_levels(self, image_id: str) -> Sequence[LevelArray]:
        """Return the levels of an image as arrays that read only what is looked at."""
        return lazy_levels(self.project.images.source(image_id))

    def prediction(self, image_id: str) -> Prediction | None:
        """Return what the model in use said of an image; None if it was not asked yet."""
        model = self._state.model
        if model is None:
            return None
        return self.project.predictions.load(prediction_key(self.project, model), image_id)

    def uncertainty(self, image_id: str) -> NDArray[np.float32] | None:
        """Return the current measure's map (H, W) of an image; None without a prediction."""
        prediction = self.prediction(image_id)
        if prediction is None:
            return None
        return measure_named(self._state.measure).compute(prediction.moments)

    # --- where we are ----------------------------------------------------------------------------

    def select_image(self, image_id: str) -> None:
        """Show another image; the region in hand is put down if it lies elsewhere."""
        self.project.images.ref(image_id)
        region = self._state.region
        keep = region is not None and region.region.image_id == image_id
        self._set(image_id=image_id, region_id=self._state.region_id if keep else None)

    def select_region(self, region_id: str) -> None:
        """Take a region in hand and go to its image."""
        queued = self.project.regions.get(region_id)
        self._set(region_id=region_id, image_id=queued.region.image_id)

    def next_region(self) -> None:
        """Take the next waiting region in hand; none if all are answered."""
        leaving = self._state.unsaved | {self._state.region_id}
        waiting = [q for q in self._state.open_regions if q.id not in leaving]
        if waiting:
            self.select_region(waiting[0].id)
        else:
            self._set(region_id=None)

    def set_measure(self, measure: str) -> None:
        """Show and rank by another measure; nothing is predicted anew unless it needs more."""
        name = measure_named(measure).name
        known = predicted_images(self.project, self._state.image_ids, name)
        self._set(measure=name, predicted=known)

    # --- the loop --------------------------------------------------------------------------------

    def predict(
        self, *, samples: int | None = None, image_ids: Sequence[str] | None = None
    ) -> None:
        """Predict images (all, unless told which) with the model in use."""
        wanted = self._state.image_ids if image_ids is None else tuple(image_ids)
        model = self._model()
        request = predict_request(
            self.project,
            model,
            partial(self._shelf.segmenter, model),
            image_ids=wanted,
            samples=samples,
            measure=self._state.measure,
        )
        self._start("predicting", partial(predict_images, request), self._predicted)

    def predict_folder(
        self, images_dir: Path, out: Path, *, measure: str | None = None, samples: int | None = None
    ) -> None:
        """Predict every picture below ``images_dir`` and write masks and maps to ``out``."""
        model = self._model()
        request = predict_folder_request(
            self.project,
            model,
            partial(self._shelf.segmenter, model),
            images_dir=images_dir,
            out=out,
            measure=measure or self._state.measure,
            samples=samples,
        )
        self._start("predicting", partial(predict_images, request), self._predicted, writes=False)

    def propose(
        self,
        *,
        count: int | None = None,
        size: int | None = None,
        measure: str | None = None,
        strategy: str | None = None,
        stride: int | None = None,
        seed: int | None = None,
    ) -> None:
        """Choose regions of pool images and put them into the queue.

        Without a model they are drawn at random over tissue.
        """
        model = self._state.model
        chosen = chosen_strategy(
            self.project, strategy, measure=measure or self._state.measure, size=size, stride=stride
        )
        predict = None
        if model is not None:
            pool = [ref.id for ref in self.project.images.all(Split.POOL)]
            known = predicted_images(self.project, pool, chosen.measure)
            predict = predict_request(
                self.project,
                model,
                partial(self._shelf.segmenter, model),
                image_ids=[i for i in pool if i not in known],
                samples=None,
                measure=chosen.measure,
            )
        request = propose_request(
            self.project,
            predict=predict,
            strategy=chosen,
            cost=self._cost,
            count=count,
            seed=seed,
        )
        self._start("proposing", partial(propose_regions, request), self._proposed)

    def train(
        self, *, preset: str | None = None, epochs: int | None = None, weights: str | None = None
    ) -> None:
        """Train a model from scratch on all finished pool regions, and put it in use."""
        self.labels.flush()  # what was painted a moment ago counts
        request = train_request(
            self.project,
            self._segmenters,
            preset=preset,
            epochs=epochs,
            weights=weights,
            measure=self._state.measure,
        )
        self._start("training", partial(train_model, request), self._trained)

    def use_model(self, model_id: str) -> None:
        """Put an earlier model in use again."""
        self.project.models.use(model_id)
        self._set(models=self.project.models.all(), predicted=self._predicted_now())

    def evaluate(
        self,
        *,
        images: Sequence[LabelledImage] | None = None,
        on_report: Callable[[EvalReport], None],
    ) -> None:
        """Measure the model in use on ``images``, or on the labelled validation images."""
        model = self._model()
        self.labels.flush()
        load = partial(self._shelf.segmenter, model)
        request = evaluate_request(self.project, model, load, images=images)

        def deliver(result: object) -> None:
            if isinstance(result, EvalReport):
                on_report(result)

        self._start("measuring", partial(evaluate_model, request), deliver, writes=False)

    def export(
        self, format_name: str, out: Path, *, on_done: Callable[[ExportResponse], None]
    ) -> None:
        """Write finished labels to the new folder ``out``."""
        request = ExportRequest(self.project, exporter_named(format_name), out.resolve())

        def deliver(result: object) -> None:
            if isinstance(result, ExportResponse):
                on_done(result)

        self._start("exporting", partial(export_labels, request), deliver, writes=False)

    # --- jobs ------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop the job that runs, within one batch."""
        self._runner.cancel()

    def wait(self) -> None:
        """Return when no job runs; raise the error that the last one ended with."""
        self._runner.wait()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Stop what runs and let go of the project."""
        self._on_result = None
        self._generation += 1
        self._runner.close()
        self._runner.finished.disconnect(self._deliver)
        self._runner.progressed.disconnect(self.progressed.emit)
        try:
            self.labels.close()
        finally:
            self.labels.saver.failed.disconnect(self.failed.emit)
            self.project.close()

    def _start(
        self,
        name: str,
        work: Callable[[CancelToken, Report], object],
        on_result: Callable[[object], None],
        *,
        writes: bool = True,
    ) -> None:
        if writes:
            self.project.refuse_if_read_only()
        if self._state.job is not None:
            raise BusyError(f"{self._state.job} is under way; wait for it, or stop it first")
        self.labels.flush()
        self._generation += 1
        self._on_result = on_result
        self._error = None
        self._set(job=name)
        self._runner.submit(Job(name, self._generation, work))

    def _deliver(self, finished: Finished) -> None:
        if finished.job.generation != self._generation or self._on_result is None:
            return  # the answer to a question that nobody asks any more
        on_result, self._on_result = self._on_result, None
        error = finished.error
        if error is None:
            try:
                on_result(finished.result)
            except ActiveSegError as not_kept:  # the disk is full, or the project was taken over
                error = not_kept
        self._error = error
        self._set(job=None)
        if error is not None:
            self.failed.emit(error)

    # --- results ---------------------------------------------------------------------------------

    def _predicted(self, result: object) -> None:
        if isinstance(result, PredictResponse):
            self._set(predicted=self._predicted_now())

    def _proposed(self, result: object) -> None:
        if isinstance(result, Proposal):
            queued = self.project.regions.add_proposal(result)
            self._set(
                queue=self.project.regions.queue(),
                predicted=self._predicted_now(),
                region_id=queued[0].id,
                image_id=queued[0].region.image_id,
            )

    def _trained(self, result: object) -> None:
        if isinstance(result, TrainResponse):
            record = result.record(self.project.clock())
            self.project.models.add(record)
            self._shelf.put(record, result.segmenter)
            self.last_training = result
            self._set(models=self.project.models.all(), predicted=self._predicted_now())

    # --- the model in use ------------------------------------------------------------------------

    def _model(self) -> ModelRecord:
        model = self._state.model
        if model is None:
            raise NothingToDoError(
                "there is no model yet; label a few proposed regions and train first"
            )
        return model

    def _predicted_now(self) -> frozenset[str]:
        """Return the images of which the model in use has said what the measure needs."""
        return predicted_images(self.project, self._state.image_ids, self._state.measure)

    def _set(self, **changes: object) -> None:
        old = self._state
        new = replace(old, **changes)  # type: ignore[arg-type]
        if new != old:
            self._state = new
            self.state_changed.emit(new, old)
