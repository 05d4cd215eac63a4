"""Writes painted labels in a thread of its own: the window never waits for the disk.

What is offered is written at most once a second, the newest of each region, and at once where
the work on a region ends. Nothing that was offered is given up: a write that failed is tried
again, with whatever was painted since, until it lands or the program ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_active_seg.errors import ProjectError
from napari_active_seg.regions import Effort, RegionState

__all__ = ["LabelAutosaver", "PendingLabel"]

_BETWEEN_WRITES_S = 1.0
_BETWEEN_TRIES_S = 3.0
_ABANDON_WITHIN_S = 15.0
_END_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class PendingLabel:
    """What a region's label is to become.

    Without a target only its state changes; without a state it stays in the one that it is in
    when this is written (a proposed region is in progress from its first stroke on). With ``fill``
    pixels that are not painted get this class.
    """

    region_id: str
    state: RegionState | None = None
    target: NDArray[np.uint8] | None = None
    effort: Effort = field(default_factory=Effort)
    fill: int | None = None

    def after(self, earlier: PendingLabel) -> PendingLabel:
        """Return both as one: the newest paint and state, all of the effort."""
        return replace(
            self,
            state=earlier.state if self.state is None else self.state,
            target=earlier.target if self.target is None else self.target,
            effort=earlier.effort + self.effort,
            fill=earlier.fill if self.state is None else self.fill,
        )


class LabelAutosaver:
    """Takes labels in and writes them by ``write``, in the order in which they came."""

    saved = Signal(object)  # Unsaved, once it is on the disk
    failed = Signal(Exception)

    def __init__(
        self,
        write: Callable[[PendingLabel], None],
        *,
        between_writes_s: float = _BETWEEN_WRITES_S,
        between_tries_s: float = _BETWEEN_TRIES_S,
    ) -> None:
        self._write = write
        self._between_writes_s = between_writes_s
        self._between_tries_s = between_tries_s
        self._changed = threading.Condition()
        self._waiting: dict[str, PendingLabel] = {}
        self._writing: dict[str, PendingLabel] = {}
        self._hurry = self._telling = False
        self._closing = False
        self._error: Exception | None = None
        self._told = ""
        self._tries = self._failed_try = 0
        self._last = -float("inf")
        self._thread: threading.Thread | None = None

    @property
    def unsaved(self) -> frozenset[str]:
        """Regions with paint that is not on the disk yet."""
        with self._changed:
            return frozenset(self._waiting) | frozenset(self._writing)

    def pending_target(self, region_id: str) -> NDArray[np.uint8] | None:
        """Return the newest paint of a region that is not on the disk yet; None without any."""
        with self._changed:
            for held in (self._waiting, self._writing):
                unsaved = held.get(region_id)
                if unsaved is not None and unsaved.target is not None:
                    return unsaved.target
        return None

    def offer(self, unsaved: PendingLabel, *, at_once: bool = False) -> None:
        """Take a label in; it is written within a second, or ``at_once``."""
        with self._changed:
            earlier = self._waiting.pop(unsaved.region_id, None)
            self._waiting[unsaved.region_id] = (
                unsaved if earlier is None else unsaved.after(earlier)
            )
            self._hurry |= at_once
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._loop, name="active-seg-saver", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Return when all enqueued labels are on the disk; raise what prevents it.

        Only a try that began after this call counts: one that was under way may have met a disk
        that was full a moment ago.
        """
        with self._changed:
            before = self._tries
            while self._waiting or self._writing or self._telling:
                self._hurry = bool(self._waiting)
                self._changed.notify_all()
                self._changed.wait(timeout=0.5)
                if self._error is not None and self._failed_try > before:
                    raise self._error

    def abandon(self) -> tuple[PendingLabel, ...]:
        """Return all that is not on the disk, and try no longer to write it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing, timeout=_ABANDON_WITHIN_S)
            waiting, self._waiting, self._error = self._waiting, {}, None
            self._changed.notify_all()
        return tuple(waiting.values())

    def close(self) -> None:
        """Write what is left and end the thread; raise what keeps it from the disk."""
        try:
            self.flush()
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            if self._thread is not None:
                self._thread.join(timeout=_END_WITHIN_S)
                if self._thread.is_alive():
                    raise ProjectError(
                        f"labels are still being written after {_END_WITHIN_S:g} s: is the disk "
                        "away? The project stays open; close it again"
                    )

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._closing and not self._is_due():
                    self._changed.wait(timeout=self._patience())
                if self._closing:
                    return
                self._writing, self._waiting, self._hurry = self._waiting, {}, False
                self._tries += 1
            self._write_all()

    def _is_due(self) -> bool:
        if not self._waiting:
            return False
        if self._hurry:
            return True
        return time.monotonic() >= self._next_write

    def _patience(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.001, self._next_write - time.monotonic())

    @property
    def _next_write(self) -> float:
        return self._last + (
            self._between_writes_s if self._error is None else self._between_tries_s
        )

    def _write_all(self) -> None:
        for region_id in list(self._writing):
            unsaved = self._writing[region_id]
            try:
                self._write(unsaved)
            except Exception as error:  # noqa: BLE001 - carried to whoever flushes, and emitted
                self._put_back(error)
                if str(error) != self._told:  # once, not at every new try
                    self._told = str(error)
                    self.failed.emit(error)
                return
            with self._changed:
                del self._writing[region_id]
                self._error, self._told = None, ""
                self._last = time.monotonic()
                self._telling = True
            self.saved.emit(unsaved)
            with self._changed:
                self._telling = False
                self._changed.notify_all()

    def _put_back(self, error: Exception) -> None:
        with self._changed:
            for region_id, unsaved in self._writing.items():
                newer = self._waiting.get(region_id)
                self._waiting[region_id] = unsaved if newer is None else newer.after(unsaved)
            self._writing = {}
            self._error, self._failed_try = error, self._tries
            self._last = time.monotonic()
            self._changed.notify_all()
