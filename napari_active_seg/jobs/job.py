"""A piece of work as a value, what it says while it runs, and how it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from napari_active_seg.errors import StoppedError

__all__ = ["CancelToken", "Job", "Progress", "ProgressCallback"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` steps, and a few words.

    A training tells its ``loss``, and the latest on labels that are not learned from.
    """

    job: str
    done: int
    total: int
    text: str = ""
    loss: float | None = None
    held_out: float | None = None


class ProgressCallback(Protocol):
    """What a job says while it runs."""

    def __call__(
        self,
        done: int,
        total: int,
        text: str = "",
        *,
        loss: float | None = None,
        held_out: float | None = None,
    ) -> None:
        """Say how far it is."""


class CancelToken:
    """Set from any thread; workers look at it at every batch."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise StoppedError if somebody asked."""
        if self.cancelled:
            raise StoppedError("stopped; what was in use before stays in use")


@dataclass(frozen=True, slots=True)
class Job:
    """Work under a name, with the generation of the request that it answers.

    ``work`` takes a cancel token and a function that reports (done, total, text). It gets
    frozen inputs through its closure and returns a frozen result; it touches no session.
    ``picklable`` says that work and result can go to another process and back.
    """

    name: str
    generation: int
    work: Callable[[CancelToken, ProgressCallback], object]
    picklable: bool = False
