"""What labelling takes: seconds of work and of rest, strokes, clicks, undos."""

from __future__ import annotations

from collections.abc import Callable

from napari_active_seg.regions import Effort

__all__ = ["EffortMeter"]

#: Without any event for so long the person is elsewhere: that time counts as idle.
_IDLE_AFTER_S = 20.0


class EffortMeter:
    """Counts for one region at a time, by a clock that is handed in."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.measures_time = True
        self._clock = clock
        self._last: float | None = None
        self._active = self._idle = self._taken = 0.0
        self._strokes = self._clicks = self._undos = 0

    def start(self, *, already_s: float = 0.0) -> None:
        """Begin with a region that took ``already_s`` before; forget what was counted so far."""
        self.take(0)
        self._taken = already_s
        self._last = self._clock()

    def touched(self) -> None:
        """The person did something: moved, clicked, pressed a key."""
        now = self._clock()
        if self._last is not None:
            gone = now - self._last
            if self.measures_time and gone < _IDLE_AFTER_S:
                self._active += gone
            elif self.measures_time:
                self._idle += gone
        self._last = now

    def stroked(self) -> None:
        """A stroke of paint ended."""
        self.touched()
        self._strokes += 1

    def clicked(self) -> None:
        """A mouse button went down."""
        self.touched()
        self._clicks += 1

    def undid(self) -> None:
        """A stroke was taken back, or brought back."""
        self.touched()
        self._undos += 1

    @property
    def active_s(self) -> float:
        """Seconds of work on this region since they were last taken."""
        return self._active

    @property
    def total_s(self) -> float:
        """Seconds of work on this region in all, those before ``start`` included."""
        return self._taken + self._active

    def take(self, changed_px: int) -> Effort:
        """Return what was counted since the last call, and reset the count."""
        effort = Effort(
            self._active, self._idle, self._strokes, self._clicks, self._undos, changed_px
        )
        self._taken += self._active
        self._active = self._idle = 0.0
        self._strokes = self._clicks = self._undos = 0
        return effort
