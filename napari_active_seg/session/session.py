"""The session of one open project: its services, its state, and the verbs of the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_active_seg.acquisition import CostModel
from napari_active_seg.errors import ActiveSegError, ModelError
from napari_active_seg.export import ExportResult, get_exporter
from napari_active_seg.images import LevelArray, open_lazy_levels, picture_at_step, read_whole
from napari_active_seg.jobs import JobKind, Progress, Runner
from napari_active_seg.metrics import EvalReport
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.models.semi_supervised_advice import UnlabelledAdvice
from napari_active_seg.project import ModelRecord, Project, Split
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.export import ExportChoice, ExportRequest, export_labels
from napari_active_seg.session.image_classes.service import ImageClassService
from napari_active_seg.session.labels.service import LabelService
from napari_active_seg.session.labels.whole_images import LabelledImage
from napari_active_seg.session.maintenance import ProjectMaintenance
from napari_active_seg.session.navigation import Navigator
from napari_active_seg.session.output_folder import check_output_folder
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.session.prediction.task import PredictionResult
from napari_active_seg.session.proposals.manual_regions import ManualRegions
from napari_active_seg.session.proposals.service import ProposalService
from napari_active_seg.session.state import Content, SessionState
from napari_active_seg.session.training.auto_train import AutoTrainTrigger
from napari_active_seg.session.training.inputs import TrainingChoices, unlabelled_advice
from napari_active_seg.session.training.service import TrainingService
from napari_active_seg.session.training.task import TrainingResult
from napari_active_seg.session.trust.service import TrustService
from napari_active_seg.session.ui_state import UiStateFile
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["Session"]


class Session:
    """One open project and the verbs of the loop.

    A verb that computes blocks, raises its error and returns its result. With ``wait=False`` it
    returns a ``concurrent.futures.Future`` at once, which a window uses; ``failed`` emits the
    error then. One job runs at a time, the others wait, and the inputs of a job are frozen when its
    turn comes.

    With ``follows_screen`` the image on screen is predicted automatically, before jobs that wait.

    As a context manager it waits for what runs, and closes.
    """

    state_changed = Signal(SessionState, SessionState)  # new, old
    content_changed = Signal(Content)  # what is stored and the state only refers to
    progressed = Signal(Progress)
    failed = Signal(Exception)
    job_ended = Signal(JobKind, object)  # a kind of job, and its error or None; before ``failed``

    def __init__(
        self,
        project: Project,
        segmenters: SegmenterFactory,
        runner: Runner,
        *,
        cost: CostModel | None = None,
        follows_screen: bool = False,
    ) -> None:
        self.project = project
        bookmark = UiStateFile(project.bookmark, writes=follows_screen and not project.read_only)
        self.context = ctx = SessionContext(
            project,
            segmenters,
            runner,
            follows_screen=follows_screen,
            bookmark=bookmark.latest if follows_screen else None,
        )
        self.predictions = PredictionService(ctx)
        self.navigation = Navigator(ctx, self.predictions, bookmark)
        self.labels = LabelService(ctx)
        self.proposals = ProposalService(ctx, self.navigation, cost=cost)
        self.trust = TrustService(ctx, self.predictions)
        self.training = TrainingService(ctx, self.predictions)
        self.training.trained.connect(self.trust.after_training)
        self.image_classes = ImageClassService(ctx)
        self.maintenance = ProjectMaintenance(ctx)
        self._auto_train = AutoTrainTrigger(project)
        ctx.state_changed.connect(self._on_state)
        ctx.content_changed.connect(self.content_changed.emit)
        ctx.jobs.progressed.connect(self.progressed.emit)
        ctx.jobs.failed.connect(self.failed.emit)
        ctx.jobs.ended.connect(self.job_ended.emit)
        self.labels.saver.failed.connect(self.failed.emit, thread="main")
        if follows_screen:
            self.labels.changed.connect(self._on_labels)

    # --- the state and what it shows -------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """The current snapshot."""
        return self.context.state

    @property
    def last_training(self) -> TrainingResult | None:
        """The latest training of this session, with its losses and its verdict."""
        return self.training.latest

    @cached_property
    def manual(self) -> ManualRegions:
        """Regions that a person places by hand; ``manual.add_region`` adds one."""
        return ManualRegions(self.context, self.navigation, self.predictions)

    def read_image(self, image_id: str, *, step: int = 1) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3) uint8 of an image, or one of each full square of a step."""
        source = self.project.images.source(image_id)
        return read_whole(source, image_id) if step == 1 else picture_at_step(source, step)

    def image_levels(self, image_id: str) -> Sequence[LevelArray]:
        """Return the levels of an image as arrays that read only what is shown."""
        return open_lazy_levels(self.project.images.source(image_id))

    def prediction(self, image_id: str) -> Prediction | None:
        """Return the stored prediction of an image by the model in use; None without one."""
        return self.predictions.of(image_id)

    def uncertainty(self, image_id: str) -> NDArray[np.float32] | None:
        """Return the current measure's map (H, W) of an image; None without a prediction."""
        prediction = self.prediction(image_id)
        if prediction is None:
            return None
        return get_measure(self.state.measure).compute(prediction.moments)

    # --- where we are ----------------------------------------------------------------------------

    def select_image(self, image_id: str) -> None:
        """Show another image; the current region is deselected if it lies elsewhere."""
        self.context.jobs.check_open()
        self.navigation.to_image(image_id)

    def select_region(self, region_id: str) -> None:
        """Make a region the current one and go to its image."""
        self.context.jobs.check_open()
        self.navigation.to_region(region_id)

    def next_region(self) -> None:
        """Make the next waiting region the current one; none if all are answered."""
        self.context.jobs.check_open()
        self.navigation.on()

    def set_measure(self, measure: str) -> None:
        """Show and rank by another measure; images are predicted again only if it needs more."""
        self.context.jobs.check_open()
        name = get_measure(measure).name
        self.context.update(measure=name, predicted=self.context.predicted(name))
        self.predictions.predict_visible()

    # --- the loop --------------------------------------------------------------------------------

    @overload
    def predict(
        self,
        image_ids: Sequence[str] | None = ...,
        *,
        samples: int | None = ...,
        wait: Literal[True] = ...,
    ) -> PredictionResult: ...
    @overload
    def predict(
        self,
        image_ids: Sequence[str] | None = ...,
        *,
        samples: int | None = ...,
        wait: Literal[False],
    ) -> Future[PredictionResult]: ...
    def predict(
        self,
        image_ids: Sequence[str] | None = None,
        *,
        samples: int | None = None,
        wait: bool = True,
    ) -> PredictionResult | Future[PredictionResult]:
        """Predict images with the model in use, the one on screen first.

        In a window each image is a job of its own, so that another image that comes on screen need
        not wait for all.

        Parameters
        ----------
        image_ids
            Images to predict; by default all of the project.
        samples
            Number of MC samples; by default the project's.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        PredictionResult
            The images that were predicted, and those that could not be read.

        Raises
        ------
        NothingToDoError
            If there is no model yet.
        """
        future = self.predictions.predict(image_ids, samples=samples)
        return future.result() if wait else future

    @overload
    def train(
        self,
        *,
        preset: str | None = ...,
        epochs: int | None = ...,
        seed: int | None = ...,
        init: str | None = ...,
        settings: Mapping[str, object] | None = ...,
        accept_worse: bool = ...,
        resume: bool = ...,
        allow_one_class: bool = ...,
        wait: Literal[True] = ...,
    ) -> ModelRecord: ...
    @overload
    def train(
        self,
        *,
        preset: str | None = ...,
        epochs: int | None = ...,
        seed: int | None = ...,
        init: str | None = ...,
        settings: Mapping[str, object] | None = ...,
        accept_worse: bool = ...,
        resume: bool = ...,
        allow_one_class: bool = ...,
        wait: Literal[False],
    ) -> Future[ModelRecord]: ...
    def train(
        self,
        *,
        preset: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        init: str | None = None,
        settings: Mapping[str, object] | None = None,
        accept_worse: bool = False,
        resume: bool = True,
        allow_one_class: bool = False,
        wait: bool = True,
    ) -> ModelRecord | Future[ModelRecord]:
        """Train on all finished pool regions; the better model on the validation is in use then.

        Better means a higher mean Dice over the fixed validation images; a tie goes to the new
        model. ``last_training`` has the losses and the verdict.

        Parameters
        ----------
        preset
            Network with its training defaults, such as "fast"; by default the project's.
        epochs
            Passes over the labels; by default the preset's number of steps.
        seed
            Seed of the training; by default the project's.
        init
            Initial weights: "current", "pretrained" or "scratch"; by default the project's.
        settings
            Settings of the project for this training alone, such as ``{"loss": "focal"}``.
        accept_worse
            Whether to use the new model even if the validation scores it lower.
        resume
            Whether to resume a stopped or killed training, where nothing has changed since.
        allow_one_class
            Whether to train although all labelled pixels are of one class.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        ModelRecord
            The trained model; ``in_use`` says whether it is the one in use.

        Raises
        ------
        NothingToDoError
            If no region is finished.
        OneClassError
            If all labelled pixels are of one class.
        """
        chosen = {**(settings or {}), **({} if init is None else {"init": init})}
        choices = TrainingChoices(
            preset, epochs, seed, accept_worse, resume, allow_one_class, chosen
        )
        future = self.training.train(choices)
        return future.result() if wait else future

    def advise_on_unlabelled(self) -> UnlabelledAdvice:
        """Return whether there are labels enough to learn from unlabelled images too."""
        pool = [ref.id for ref in self.project.images.all(Split.POOL)]
        return unlabelled_advice(self.project, self.project.labels.done(pool))

    def use_model(self, model_id: str) -> None:
        """Put an earlier model in use again; ModelError where its file is gone."""
        self.context.jobs.check_open()
        models = self.project.models
        if model_id in {m.id for m in models.all()} and not models.has_file(model_id):
            raise ModelError(
                f"the model file {models.path(model_id)} is not there; put it back, or use another "
                "model"
            )
        models.use(model_id)
        self.context.update(models=models.all(), predicted=self.context.predicted())
        self.predictions.predict_visible()

    @overload
    def evaluate(
        self, images: Sequence[LabelledImage] | None = ..., *, wait: Literal[True] = ...
    ) -> EvalReport: ...
    @overload
    def evaluate(
        self, images: Sequence[LabelledImage] | None = ..., *, wait: Literal[False]
    ) -> Future[EvalReport]: ...
    def evaluate(
        self, images: Sequence[LabelledImage] | None = None, *, wait: bool = True
    ) -> EvalReport | Future[EvalReport]:
        """Evaluate the model in use: pixels, borders, objects and probabilities.

        Parameters
        ----------
        images
            Labelled images; by default the project's labelled validation images.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        EvalReport
            The scores with their confidence intervals.

        Raises
        ------
        NothingToDoError
            If there is no model, or no labelled image.
        """
        future = self.predictions.evaluate(images)
        return future.result() if wait else future

    @overload
    def export(
        self,
        format_name: str,
        out: Path | str,
        *,
        choice: ExportChoice = ...,
        wait: Literal[True] = ...,
    ) -> ExportResult: ...
    @overload
    def export(
        self,
        format_name: str,
        out: Path | str,
        *,
        choice: ExportChoice = ...,
        wait: Literal[False],
    ) -> Future[ExportResult]: ...
    def export(
        self,
        format_name: str,
        out: Path | str,
        *,
        choice: ExportChoice = ExportChoice(),  # noqa: B008  # a frozen value
        wait: bool = True,
    ) -> ExportResult | Future[ExportResult]:
        """Export labels as a data set.

        Parameters
        ----------
        format_name
            Name of an export format, such as "masks" or "coco".
        out
            The new folder for it.
        choice
            Which labels; by default the finished ones.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        ExportResult
            What was written.

        Raises
        ------
        BadInputError
            If ``out`` is, holds or lies in the project or its images.
        """
        self.context.jobs.check_open()
        folder = Path(out)
        check_output_folder(self.project, folder)
        request = ExportRequest(self.project, get_exporter(format_name), folder.resolve(), choice)
        work = partial(export_labels, request)
        future = self.context.start(JobKind.EXPORT, work, lambda result: result, writes=False)
        return future.result() if wait else future

    # --- jobs ------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop the job that runs, within one batch, and drop those that wait."""
        self.context.jobs.cancel()

    def wait(self) -> None:
        """Return when no job runs or waits."""
        self.context.jobs.wait()

    def free_memory(self) -> None:
        """Free the loaded model, the predictions in memory, and the worker process.

        All of it is loaded again when it is needed; BusyError while a job runs.
        """
        self.context.jobs.check_open()
        self.context.jobs.free_memory()
        self.context.models.clear()
        self.project.predictions.forget()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and not self.context.jobs.closed:
                self.wait()
        finally:
            self.close()

    def close(self) -> None:
        """Stop what runs and close the project; verbs raise ProjectError from then on.

        Closing twice does no harm.
        """
        if self.context.jobs.closed:
            return
        self.context.jobs.close()
        self.context.jobs.progressed.disconnect(self.progressed.emit)
        self.context.jobs.failed.disconnect(self.failed.emit)
        self.context.jobs.ended.disconnect(self.job_ended.emit)
        try:
            self.labels.close()
        finally:
            self.labels.saver.failed.disconnect(self.failed.emit)
            self.project.close()

    def _on_state(self, new: SessionState, old: SessionState) -> None:
        self.state_changed.emit(new, old)
        if old.jobs and not new.jobs:
            self.predictions.prune()

    def _on_labels(self) -> None:
        """Learn the pace, and train where the project trains automatically."""
        self.proposals.update_pace()
        if not self._auto_train.is_due(self.state):
            return
        try:
            self.train(wait=False)
        except ActiveSegError as error:  # nobody called it who could catch the error
            self.failed.emit(error)
