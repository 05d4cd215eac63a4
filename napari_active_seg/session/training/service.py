"""Trains models, and stores them with their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from psygnal import Signal

from napari_active_seg.errors import ModelError
from napari_active_seg.jobs import JobKind
from napari_active_seg.jobs.queue import JobFuture
from napari_active_seg.project import (
    ModelRecord,
)
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.model_access.model_records import store_evaluation
from napari_active_seg.session.prediction.collapse import store_collapse
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.session.training.control_regions import CONTROL_EVENT
from napari_active_seg.session.training.inputs import TrainingChoices
from napari_active_seg.session.training.task import (
    TrainingResult,
    train_model,
)

__all__ = ["TrainingService"]

T = TypeVar("T")


class TrainingService:
    """Trains models, and stores them with their scores."""

    trained = Signal(ModelRecord)  # the new model, stored; it may be in use or not

    def __init__(self, ctx: SessionContext, predictions: PredictionService) -> None:
        self._ctx, self._predictions = ctx, predictions
        self.latest: TrainingResult | None = None  #: the latest training of this session

    def train(self, choices: TrainingChoices) -> JobFuture[ModelRecord]:
        """Submit a training; see ``Session.train``."""
        return self._submit(choices, self._store)

    def join(self, choices: TrainingChoices) -> None:
        """Train as a further process of a training that another process saves."""
        self._submit(replace(choices, joins=True), lambda _: None, writes=False).result()

    def _submit(
        self,
        choices: TrainingChoices,
        on_result: Callable[[TrainingResult | None], T],
        *,
        writes: bool = True,
    ) -> JobFuture[T]:
        self._ctx.jobs.check_open()
        self._ctx.project.config.with_changes(**choices.settings)  # raises at once

        choices = replace(choices, measure=self._ctx.state.measure)
        return self._ctx.run(
            JobKind.TRAIN, partial(train_model, choices=choices), on_result, writes=writes
        )

    def _store(self, response: TrainingResult | None) -> ModelRecord:
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
            store_evaluation(project, record.id, response.report, is_test=False)
        if response.collapse is not None:
            store_collapse(project, response.collapse)
        self.latest = replace(response, model=record)
        self._ctx.update(models=project.models.all(), predicted=self._ctx.predicted())
        self._predictions.predict_visible()
        self.trained.emit(record)
        return record
