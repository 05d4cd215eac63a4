"""Drawing that may wait a moment: one piece at each turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import QTimer

__all__ = ["DeferredRedraw"]

#: What is drawn at once gets on the screen first, counted from the next turn of the loop.
_PAUSE_MS = 16


class DeferredRedraw:
    """Pieces by name; one that is asked for twice before its turn is drawn once."""

    def __init__(
        self,
        draws: Mapping[str, Callable[[Any], object]],
        run: Callable[[Callable[[Any], object]], object],
    ) -> None:
        self._draws, self._run = draws, run
        self._waiting: list[str] = []
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_turn)
        self._has_paused = False

    def add(self, piece: str) -> None:
        """Draw a piece when its turn comes."""
        if piece not in self._waiting:
            self._waiting.append(piece)
        self._has_paused = False
        self._timer.start(0)

    def now(self, piece: str) -> None:
        """Draw a piece at once."""
        if piece in self._waiting:
            self._waiting.remove(piece)
        self._run(self._draws[piece])

    def finish(self, *pieces: str) -> None:
        """Draw those of ``pieces`` at once that wait."""
        for piece in pieces:
            if piece in self._waiting:
                self.now(piece)

    @property
    def is_done(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def clear(self) -> None:
        """Forget what waits."""
        self._timer.stop()
        self._waiting.clear()

    def _on_turn(self) -> None:
        if not self._has_paused:
            self._has_paused = True
            self._timer.start(_PAUSE_MS)
            return
        self._one()
        if self._waiting:
            self._timer.start(_PAUSE_MS)  # events come in between, and the canvas is painted

    def _one(self) -> None:
        if self._waiting:
            self._run(self._draws[self._waiting.pop(0)])
