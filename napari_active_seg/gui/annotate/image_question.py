"""The question what an image as a whole is: answered by a key or a button, with its seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.labels.effort import EffortMeter
from napari_active_seg.session.state import SessionState

__all__ = ["QuestionInHand"]


class QuestionInHand:
    """Takes answers about the image on screen, and about the current question."""

    def __init__(self, context: DockContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._meter = EffortMeter(clock)
        self._shown: object = None

    def render_state(self, state: SessionState) -> None:
        """Begin to count when another image or question comes."""
        shown = (state.image_id, state.question_id)
        if shown != self._shown:
            self._shown = shown
            self._meter.measures_time = self._context.preferences.now.measures_time
            self._meter.start()

    def touch(self) -> None:
        """Count something that the person did as a sign of life."""
        self._meter.touched()

    def answer(self, index: int) -> None:
        """Say that the image on screen is of class ``index``, and go on where that was asked.

        NothingToDoError where there is no such class or no image.
        """

        def say(session: Session) -> None:
            state, classes = session.state, session.image_classes.classes
            if state.image_id is None or index >= len(classes):
                raise NothingToDoError(f"there is no class {index + 1} of images")
            asked = state.question
            session.image_classes.say(state.image_id, classes[index], seconds=self._took(session))
            if asked is not None:
                session.next_region()

        self._context.with_session(say)()

    def leave(self, state: RegionState) -> None:
        """Leave the question in ``state`` and go on to what waits next."""

        def go(session: Session) -> None:
            asked = session.state.question
            if asked is not None:
                session.image_classes.leave(asked.id, state, seconds=self._took(session))
                session.next_region()

        self._context.with_session(go)()

    def _took(self, session: Session) -> float:
        """Return the seconds of a question; of an image that one only looks at nobody knows."""
        self._meter.touched()
        effort = self._meter.take(0)
        return effort.active_s if session.state.question is not None else 0.0
