"""Trains models, and stores them with their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from napari_active_seg.errors import ModelError
from napari_active_seg.jobs import JobKind, Work
from napari_active_seg.jobs.queue import JobFuture, JobRequest
from napari_active_seg.project import (
    ModelRecord,
)
from napari_active_seg.session.check_images import CheckImages
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.session.training.control_regions import CONTROL_EVENT
from napari_active_seg.session.training.inputs import TrainingChoices, train_request
from napari_active_seg.session.training.task import (
    TrainResponse,
    train_model,
)
from napari_active_seg.session.trust.collapse import keep_collapse
from napari_active_seg.session.trust.service import TrustService
from napari_active_seg.session.trust.store import keep_evaluation

__all__ = ["TrainingService"]

T = TypeVar("T")


class TrainingService:
    """Trains models, and stores them with their scores."""

    def __init__(
        self, ctx: SessionContext, predictions: PredictionService, trust: TrustService
    ) -> None:
        self._ctx, self._predictions, self._trust = ctx, predictions, trust
        self.latest: TrainResponse | None = None  #: the latest training of this session

    def train(self, choices: TrainingChoices) -> JobFuture[ModelRecord]:
        """Submit a training; see ``Session.train``."""
        return self._submit(choices, self._store)

    def join(self, choices: TrainingChoices) -> None:
        """Train as a further process of a training that another process saves."""
        self._submit(replace(choices, joins=True), lambda _: None, writes=False).result()

    def _submit(
        self,
        choices: TrainingChoices,
        on_result: Callable[[TrainResponse | None], T],
        *,
        writes: bool = True,
    ) -> JobFuture[T]:
        self._ctx.jobs.check_open()
        self._ctx.project.config.with_changes(**choices.settings)  # raises at once

        def prepare() -> Work[TrainResponse | None]:
            request = train_request(
                self._ctx.project,
                self._ctx.networks,
                choices,
                load=self._ctx.models.fresh,
                measure=self._ctx.state.measure,
            )
            return CheckImages(
                self._ctx.project.images.find_changed,
                request.image_ids,
                partial(train_model, request),
            )

        request = JobRequest(JobKind.TRAIN, prepare, on_result, queueable=True, picklable=True)
        return self._ctx.submit(request, writes=writes)

    def _store(self, response: TrainResponse | None) -> ModelRecord:
        if response is None:
            raise ModelError("the training ended without a model")
        project = self._ctx.project
        record = replace(response.model, created_at=project.clock())
        for score in response.controls:
            project.events.add(
                CONTROL_EVENT, score.region_id, facts={"model": score.model_id, **score.facts}
            )
        project.models.add(record)
        if response.report is not None:
            keep_evaluation(project, record.id, response.report, audit=False)
        if response.collapse is not None:
            keep_collapse(project, response.collapse)
        self.latest = replace(response, model=record)
        self._ctx.update(models=project.models.all(), predicted=self._ctx.predicted())
        self._predictions.predict_visible()
        self._trust.after_training()
        return record
