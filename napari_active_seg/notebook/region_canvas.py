"""One region that is painted: its target, and what can be taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import UNLABELLED

__all__ = ["RegionCanvas"]

#: Most strokes that can be undone.
_MOST_STEPS = 100


class RegionCanvas:
    """Holds the target (H, W) of a region; each change is a step that ``undo`` takes back."""

    def __init__(self, queued: QueuedRegion, target: NDArray[np.uint8] | None) -> None:
        self.queued = queued
        shape = queued.region.shape
        self.target = np.full(shape, UNLABELLED, np.uint8) if target is None else target
        self._inside = queued.place.mask
        self._past: list[NDArray[np.uint8]] = []
        self._future: list[NDArray[np.uint8]] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether a stroke was taken back that can come again."""
        return bool(self._future)

    def paint(self, where: NDArray[np.bool_], value: int) -> int:
        """Give ``value`` to the pixels ``where`` (H, W) in the region; return how many changed."""
        where = where & self._inside
        return self._become(np.where(where, np.uint8(value), self.target))

    def fill_rest(self, value: int) -> int:
        """Give ``value`` to all that is not painted; return how many changed."""
        return self.paint(self.target == UNLABELLED, value)

    def apply_draft(self, classes: NDArray[np.uint8]) -> int:
        """Paint ``classes`` (H, W) where nothing is painted; return how many changed."""
        where = (self.target == UNLABELLED) & self._inside
        return self._become(np.where(where, classes, self.target))

    def undo(self) -> int:
        """Take the latest stroke back; return how many pixels changed."""
        return self._step(self._past, self._future)

    def redo(self) -> int:
        """Bring back what was taken back; return how many pixels changed."""
        return self._step(self._future, self._past)

    def _become(self, target: NDArray[np.uint8]) -> int:
        changed = int(np.count_nonzero(target != self.target))
        if changed:
            self._past = [*self._past[1 - _MOST_STEPS :], self.target]
            self._future = []
            self.target = target
        return changed

    def _step(self, out: list[NDArray[np.uint8]], back: list[NDArray[np.uint8]]) -> int:
        if not out:
            return 0
        back.append(self.target)
        before, self.target = self.target, out.pop()
        return int(np.count_nonzero(before != self.target))
