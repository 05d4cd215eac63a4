"""A job as a value: its kind, its work, its progress, and a token to cancel it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from napari_active_seg.errors import StoppedError

__all__ = ["CancelToken", "Job", "JobKind", "Progress", "ProgressCallback", "Work"]

T = TypeVar("T")


class JobKind(Enum):
    """What a job does; its value is how sentences and progress bars call it."""

    PREDICT = "predicting"
    PREDICT_VISIBLE = "predicting this image"
    PREDICT_EARLIER = "predicting with the model before"
    EMBED = "embedding images"
    EVALUATE = "evaluating"
    PROPOSE = "proposing"
    RESELECT = "choosing again"
    RECOMMEND = "comparing strategies"
    LEARN_COST = "learning your pace"
    TRAIN = "training"
    CALIBRATE = "calibrating"
    CROSS_VALIDATE = "cross-validating"
    SCORE_VALIDATION = "scoring validation images"
    SCORE_TEST = "scoring test images"
    COMPARE_MODELS = "comparing models"
    REVIEW = "reviewing labels"
    FIND_LEAKS = "looking for near copies"
    CHOOSE_IMAGES = "choosing images"
    LABEL = "labelling"
    IMPORT = "importing"
    APPLY_RULE = "completing finished regions"
    ADD_IMAGES = "adding images"
    RELINK = "looking for images"
    EXPORT = "exporting"

    @property
    def title(self) -> str:
        """The kind as a person reads it."""
        return self.value


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` steps, and a note.

    A training reports its ``loss``, and the latest loss on labels that it does not learn from.
    """

    job: JobKind
    done: int
    total: int
    text: str = ""
    loss: float | None = None
    held_out: float | None = None


class ProgressCallback(Protocol):
    """Reports how far a job is."""

    def __call__(
        self,
        done: int,
        total: int,
        text: str = "",
        *,
        loss: float | None = None,
        held_out: float | None = None,
    ) -> None:
        """Report ``done`` of ``total`` steps."""


class CancelToken:
    """Set from any thread; work checks it at every batch."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Request the job to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the job is to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise StoppedError if the job is to stop."""
        if self.cancelled:
            raise StoppedError("stopped; what was in use before stays in use")


#: Work takes a cancel token and a progress callback. Its inputs are bound to it, and it returns a
#: frozen result; it changes no session.
Work = Callable[[CancelToken, ProgressCallback], T]


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Work of one kind, with the generation of the request that it belongs to.

    ``picklable`` means that work and result can go to another process and back.
    """

    kind: JobKind
    generation: int
    work: Work[T]
    picklable: bool = False
