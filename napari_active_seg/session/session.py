"""The conductor: freezes requests, hands them to the runner, and stores what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_active_seg.acquisition import CostModel, Proposal
from napari_active_seg.errors import ModelError, OneClassError
from napari_active_seg.export import ExportResult, get_exporter
from napari_active_seg.images import LevelArray, lazy_levels, picture_at_step, read_whole
from napari_active_seg.jobs import CancelToken, Progress, Runner
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.jobs.queue import JobQueue, JobRequest, Work
from napari_active_seg.metrics import EvalReport
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.models.semi_supervised_advice import UnlabelledAdvice
from napari_active_seg.project import Project, QueuedRegion, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session.check_images import CheckImages
from napari_active_seg.session.export import ExportChoice, ExportRequest, export_labels
from napari_active_seg.session.image_classes.service import ImageClassService
from napari_active_seg.session.labels.service import LabelService
from napari_active_seg.session.maintenance import ProjectMaintenance
from napari_active_seg.session.navigation import Navigator
from napari_active_seg.session.output_folder import check_output_folder
from napari_active_seg.session.prediction.cache_key import model_of, predicted_images
from napari_active_seg.session.prediction.model_cache import ModelCache
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.session.proposals.manual_regions import ManualRegions
from napari_active_seg.session.proposals.service import ProposalService
from napari_active_seg.session.state import SessionState, describe_active_calibration, initial_state
from napari_active_seg.session.training.auto_train import AutoTrainTrigger
from napari_active_seg.session.training.control_regions import CONTROL_EVENT
from napari_active_seg.session.training.service import (
    TrainingChoices,
    train_request,
    unlabelled_advice,
)
from napari_active_seg.session.training.task import TrainResponse, train_model
from napari_active_seg.session.trust.collapse import keep_collapse
from napari_active_seg.session.trust.evaluate import LabelledImage
from napari_active_seg.session.trust.service import TrustService
from napari_active_seg.session.trust.store import keep_evaluation
from napari_active_seg.session.ui_state import UiStateFile
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["Session"]


class Session:
    """One open project and the verbs of the loop.

    Verbs that compute return at once; their result arrives with ``state_changed``, or
    ``failed`` carries the error. ``wait`` blocks until then and raises it. One computes at a time;
    others wait, and what they need is frozen when their turn comes.

    With ``follows_screen`` the image on screen is predicted by itself, before anything that waits.

    As a context manager it waits for what runs, raises what that ended with, and closes.
    """

    state_changed = Signal(SessionState, SessionState)  # new, old
    progressed = Signal(Progress)
    failed = Signal(Exception)
    job_ended = Signal(str, object)  # a job, and its error or None; before ``failed``

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
        self.last_training: TrainResponse | None = None
        self._segmenters = segmenters
        self._follows_screen = follows_screen
        self._shelf = shelf = ModelCache(project, segmenters)
        bookmark = UiStateFile(project.bookmark, writes=follows_screen and not project.read_only)
        self._state = initial_state(project, bookmark.latest if follows_screen else None)
        self._jobs = JobQueue(
            runner, project.folder, on_change=self._on_jobs, on_idle=self._shelf.free_memory
        )
        state = self._now
        self.predictions = PredictionService(
            project,
            shelf,
            self._jobs,
            state,
            self._set,
            order=self._order,
            follows_screen=follows_screen,
        )
        self.navigation = Navigator(
            project,
            state,
            self._set,
            look=self.predictions.predict_visible,
            prediction=self.prediction,
            bookmark=bookmark,
        )
        self.labels = LabelService(project, state, self._set, start=self._start, order=self._order)
        self.proposals = ProposalService(
            project,
            shelf,
            segmenters,
            state,
            order=self._order,
            on_proposal=self._proposed,
            on_pace=lambda pace: self._set(pace=pace),
            cost=cost,
            in_stages=follows_screen,
        )
        self.trust = TrustService(
            project,
            shelf,
            segmenters,
            state,
            self._set,
            order=self._order,
            model=self.predictions.model,
            predicted=self.predictions.known,
            look=self.predictions.predict_visible,
        )
        desk = ImageClassService(project, shelf, segmenters, state, self._set, order=self._order)
        self.image_classes = desk
        self.maintenance = ProjectMaintenance(
            project,
            state,
            self._set,
            start=self._start,
            flush=self.labels.flush,
            predicted=self.predictions.known,
        )
        self._turn = AutoTrainTrigger(project)
        self._pass_on()

    def _now(self) -> SessionState:
        return self._state

    def _pass_on(self) -> None:
        self._jobs.progressed.connect(self.progressed.emit)
        self._jobs.failed.connect(self.failed.emit)
        self._jobs.ended.connect(self.job_ended.emit)
        self.labels.saver.failed.connect(self.failed.emit, thread="main")

    # --- what is ---------------------------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """The current snapshot."""
        return self._state

    @cached_property
    def manual(self) -> ManualRegions:
        """Regions that a person places by hand; ``manual.add_region`` adds one."""
        return ManualRegions(self.project, self._now, self._set, self.navigation, self.prediction)

    def read_image(self, image_id: str, *, step: int = 1) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3) uint8 of an image, or one of each full square of a step."""
        source = self.project.images.source(image_id)
        return read_whole(source, image_id) if step == 1 else picture_at_step(source, step)

    def image_levels(self, image_id: str) -> Sequence[LevelArray]:
        """Return the levels of an image as arrays that read only what is looked at."""
        return lazy_levels(self.project.images.source(image_id))

    def prediction(self, image_id: str) -> Prediction | None:
        """Return what the model in use said of an image; None if it was not asked yet."""
        return self.predictions.of(image_id)

    def uncertainty(self, image_id: str) -> NDArray[np.float32] | None:
        """Return the current measure's map (H, W) of an image; None without a prediction."""
        prediction = self.prediction(image_id)
        if prediction is None:
            return None
        return get_measure(self._state.measure).compute(prediction.moments)

    # --- where we are ----------------------------------------------------------------------------

    def select_image(self, image_id: str) -> None:
        """Show another image; the region in hand is put down if it lies elsewhere."""
        self._jobs.check_open()
        self.navigation.to_image(image_id)

    def select_region(self, region_id: str) -> None:
        """Take a region in hand and go to its image."""
        self._jobs.check_open()
        self.navigation.to_region(region_id)

    def next_region(self) -> None:
        """Take the next waiting region in hand; none if all are answered."""
        self._jobs.check_open()
        self.navigation.on()

    def set_measure(self, measure: str) -> None:
        """Show and rank by another measure; nothing is predicted anew unless it needs more."""
        self._jobs.check_open()
        name = get_measure(measure).name
        known = predicted_images(self.project, self._state.image_ids, name)
        self._set(measure=name, predicted=known)
        self.predictions.predict_visible()

    # --- the loop --------------------------------------------------------------------------------

    def predict(
        self, *, samples: int | None = None, image_ids: Sequence[str] | None = None
    ) -> None:
        """Predict images (all, unless told which) with the model in use, the one on screen first.

        In a window each image is a job of its own, so that another one that comes on screen need
        not wait for all.
        """
        wanted = self._state.image_ids if image_ids is None else tuple(image_ids)
        self.predictions.predict(wanted, samples=samples)

    def predict_folder(self, images_dir: Path | str, out: Path | str, **asked: Any) -> None:
        """Predict all pictures below ``images_dir`` into ``out``: see ``PredictionService``."""
        self.predictions.predict_folder(Path(images_dir), Path(out), **asked)

    def propose(self, **asked: Any) -> None:
        """Choose regions of pool images for the queue.

        ``count=8`` or ``budget="10min"`` say how many, ``strategy`` and its parts (``size=128``,
        ``measure="bald"``) which: see ``ProposalService.propose``.
        """
        self.proposals.propose(**asked)

    def train(
        self,
        *,
        preset: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        accept_worse: bool = False,
        go_on: bool = True,
        helps: bool = False,
        allow_one_class: bool = False,
        **settings: object,
    ) -> None:
        """Train on all finished pool regions; the better model on the validation is in use then.

        Better means a higher mean Dice over the fixed validation images, a tie going to the new
        model; ``accept_worse`` uses the new one all the same. A training that was killed or
        stopped goes on where nothing has changed since, unless ``go_on`` is False. ``helps`` is for
        the further processes of a shared training, which write nothing. ``settings`` are settings
        of the project for this training alone. OneClassError where all labelled pixels are of one
        class, unless ``allow_one_class``.
        """
        choices = TrainingChoices(
            preset, epochs, seed, accept_worse, go_on, helps, allow_one_class, settings
        )
        self._jobs.check_open()
        self.project.config.with_changes(**settings)  # refuses at once what cannot be

        def prepare() -> Work:
            request = train_request(
                self.project,
                self._segmenters,
                choices,
                load=self._shelf.fresh,
                measure=self._state.measure,
            )
            return CheckImages(
                self.project.images.find_changed, request.image_ids, partial(train_model, request)
            )

        order = JobRequest("training", prepare, self._trained, queueable=True, picklable=True)
        self._order(order, writes=not helps)

    def advice_on_unlabelled(self) -> UnlabelledAdvice:
        """Return whether there are labels enough to learn from unlabelled images too."""
        pool = [ref.id for ref in self.project.images.all(Split.POOL)]
        return unlabelled_advice(self.project, self.project.labels.done(pool))

    def use_model(self, model_id: str) -> None:
        """Put an earlier model in use again; ModelError where its file is gone."""
        self._jobs.check_open()
        models = self.project.models
        if model_id in {m.id for m in models.all()} and not models.has_file(model_id):
            raise ModelError(
                f"the model file {models.path(model_id)} is not there; put it back, or use another "
                "model"
            )
        models.use(model_id)
        self._set(models=self.project.models.all(), predicted=self.predictions.known())
        self.predictions.predict_visible()

    def evaluate(
        self,
        *,
        images: Sequence[LabelledImage] | None = None,
        on_report: Callable[[EvalReport], None],
    ) -> None:
        """Measure the model in use on ``images``, or on the labelled validation images."""
        self.predictions.evaluate(images=images, on_report=on_report)

    def export(
        self,
        format_name: str,
        out: Path | str,
        *,
        choice: ExportChoice = ExportChoice(),  # noqa: B008  # a frozen value
        on_done: Callable[[ExportResult], None],
    ) -> None:
        """Write labels to the new folder ``out``: the finished ones, or as ``choice`` says.

        BadInputError at once where ``out`` is, holds or lies in the project or its images.
        """
        self._jobs.check_open()
        folder = Path(out)
        check_output_folder(self.project, folder)
        request = ExportRequest(self.project, get_exporter(format_name), folder.resolve(), choice)

        def deliver(result: object) -> None:
            if isinstance(result, ExportResult):
                on_done(result)

        self._start("exporting", partial(export_labels, request), deliver, writes=False)

    # --- jobs ------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop the job that runs, within one batch, and forget those that wait."""
        self._jobs.cancel()

    def wait(self) -> None:
        """Return when no job runs or waits; raise the first error that one ended with."""
        self._jobs.wait()

    def free_memory(self) -> None:
        """Let go of the model in use, of what was predicted, and of a process of our own.

        All of it comes back when it is asked for; BusyError while a job runs.
        """
        self._jobs.check_open()
        self._jobs.free_memory()
        self._shelf.clear()
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
            if kind is None and not self._jobs.closed:
                self.wait()
        finally:
            self.close()

    def close(self) -> None:
        """Stop what runs and let go of the project; verbs raise ProjectError from then on.

        Closing twice does no harm.
        """
        if self._jobs.closed:
            return
        self._jobs.close()
        self._jobs.progressed.disconnect(self.progressed.emit)
        self._jobs.failed.disconnect(self.failed.emit)
        self._jobs.ended.disconnect(self.job_ended.emit)
        try:
            self.labels.close()
        finally:
            self.labels.saver.failed.disconnect(self.failed.emit)
            self.project.close()

    def _start(
        self,
        name: str,
        work: Callable[[CancelToken, ProgressCallback], object],
        on_result: Callable[[object], None],
        *,
        writes: bool = True,
    ) -> None:
        """Run work that was frozen already; BusyError while anything else runs."""
        self._order(JobRequest(name, lambda: work, on_result), writes=writes)

    def _order(self, order: JobRequest, *, writes: bool = True, reads_labels: bool = True) -> None:
        self._jobs.check_open()
        if writes:
            self.project.check_writable()
        if reads_labels:
            self.labels.flush()  # what was painted a moment ago counts
        self._jobs.submit(order)

    def _on_jobs(self, names: tuple[str, ...]) -> None:
        if not names and self._state.jobs:
            self._prune_predictions()
        self._set(jobs=names)

    def _prune_predictions(self) -> None:
        """Drop cached maps of older models, and the oldest ones above the limit."""
        if self.project.read_only:
            return
        in_use, earlier = self.project.models.in_use(), self.predictions.earlier_model()
        kept = {model.id for model in (in_use, earlier) if model is not None}
        freed = self.project.predictions.prune(
            keeps=lambda key: model_of(key) in kept,
            limit=round(self.project.config.cache_limit * 1e9),
        )
        if freed:
            self._set(predicted=self.predictions.known())

    # --- results ---------------------------------------------------------------------------------

    def _proposed(self, proposal: Proposal, *, replaces: bool = False) -> tuple[QueuedRegion, ...]:
        """Put a proposal into the queue; go to its first region unless it replaces others."""
        self.project.predictions.forget()
        regions = self.project.regions
        queued = regions.add_proposal(proposal)
        self.proposals.latest = proposal
        self._set(queue=regions.queue(), predicted=self.predictions.known())
        in_hand = self._state.region
        painted = in_hand is not None and in_hand.state is RegionState.IN_PROGRESS
        if (
            not replaces
            and queued
            and not painted
            and self._state.region_id not in (self._state.unsaved)
        ):
            self.navigation.to_region(queued[0].id)
        return queued

    def _trained(self, result: object) -> None:
        if isinstance(result, TrainResponse):
            record = replace(result.model, created_at=self.project.clock())
            for score in result.controls:
                self.project.events.add(
                    CONTROL_EVENT, score.region_id, facts={"model": score.model_id, **score.facts}
                )
            self.project.models.add(record)
            if result.report is not None:
                keep_evaluation(self.project, record.id, result.report, audit=False)
            if result.collapse is not None:
                keep_collapse(self.project, result.collapse)
            self.last_training = replace(result, model=record)
            self._set(models=self.project.models.all(), predicted=self.predictions.known())
            self.predictions.predict_visible()
            self.trust.after_training()

    def _set(self, **changes: object) -> None:
        old = self._state
        if changes.keys() & {"models", "predicted"}:
            changes["calibrated"] = describe_active_calibration(self.project)
        new = replace(old, **changes)  # type: ignore[arg-type]
        if new != old:
            self._state = new
            self.state_changed.emit(new, old)
            if self._follows_screen and new.done_in_pool != old.done_in_pool:
                self.proposals.update_pace()
                if self._turn.is_due(new):
                    self._train_when_due()

    def _train_when_due(self) -> None:
        """Train without being asked; a refusal is reported and keeps nothing else from going on."""
        try:
            self.train()
        except OneClassError as error:
            self.failed.emit(error)
