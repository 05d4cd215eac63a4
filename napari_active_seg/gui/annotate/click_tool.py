"""The click tool: a helper outlines what is clicked on, or what a box is drawn around.

A helper needs seconds to load and to look at a region. It does both in a thread; until then a
click says that it is looking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.gui.shell.background_task import BackgroundTask
from napari_active_seg.images import ImageSource
from napari_active_seg.models.interactive import InteractiveSegmenter, Prompts
from napari_active_seg.regions import Region

__all__ = ["Clicking"]

#: Pixels about a region that a helper sees as well.
_SURROUNDINGS = 96
#: A drag of fewer pixels on the screen is a click.
_STILL = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class _Object:
    """The object that is being pointed at: what was painted before, its hints and its outcome."""

    region: Region
    label: int
    before: NDArray[np.uint8]
    hints: Prompts
    after: NDArray[np.uint8]


class Clicking:
    """Loads a helper when it is first wanted, and keeps what it has seen of one region.

    ``where`` returns what a person has chosen as helper, empty for nothing.
    """

    def __init__(
        self,
        load: Callable[[str], InteractiveSegmenter],
        where: Callable[[], str],
        *,
        on_failed: Callable[[Exception], None],
    ) -> None:
        self._load, self._where = load, where
        self._task = BackgroundTask(on_failed)
        self._helper: tuple[str, InteractiveSegmenter] | None = None
        self._seen: tuple[Region, Region, object] | None = None
        self._looking: Region | None = None
        self._object: _Object | None = None

    def release(self) -> None:
        """Let what still comes back be forgotten."""
        self._task.forget()

    def is_ready(self, region: Region) -> bool:
        """Return whether a region was looked at."""
        return self._seen is not None and self._seen[0] == region

    def look(self, region: Region, open_source: Callable[[str], ImageSource]) -> None:
        """Look at a region in the background, unless that is done or under way.

        NothingToDoError if no helper was chosen.
        """
        where = self._where()
        if not where:
            raise NothingToDoError(
                "no click helper is chosen: 'Click helper...' under 'How you work' takes a folder "
                "with a SAM checkpoint"
            )
        known = self._helper if self._helper is not None and self._helper[0] == where else None
        if known is not None and self.is_ready(region):
            return
        if self._task.is_running and self._looking == region:
            return
        self._looking = region

        def work(_tell: object) -> object:
            source = open_source(region.image_id)
            around = region.grow(_SURROUNDINGS, source.shape)
            helper = known[1] if known is not None else self._load(where)
            pixels = source.read(0, around.y, around.x, around.height, around.width)
            return helper, around, helper.set_image(pixels)

        def done(found: Any) -> None:
            self._helper = (where, found[0])
            self._seen, self._looking = (region, *found[1:]), None

        self._task.run(work, done)

    def begin(
        self,
        region: Region,
        place: tuple[float, float],
        event: Any,
        paint: NDArray[np.uint8],
        label: int,
        *,
        keeps_others: bool = False,
    ) -> Callable[[Any, tuple[float, float]], NDArray[np.uint8]]:
        """Return what gives the paint for each place that the mouse is dragged to.

        A click begins an object, with Shift one more belongs to the last one, with Alt it does
        not; a drag draws a box. NothingToDoError while the helper is still looking.
        """
        seen, helper = self._seen, self._helper
        if seen is None or helper is None or seen[0] != region:
            raise NothingToDoError(
                "the click helper is looking at this region; click again in a moment"
            )
        pressed = {str(key) for key in getattr(event, "modifiers", ())}
        last = self._continued(region, paint, label) if pressed & {"Shift", "Alt"} else None
        before = paint if last is None else last.before
        hints = Prompts() if last is None else last.hints
        screen = np.array(event.pos, float)
        offset = (region.y - seen[1].y, region.x - seen[1].x)
        start = (place[0] + offset[0], place[1] + offset[1])

        def painted(now: Any, at: tuple[float, float]) -> NDArray[np.uint8]:
            end = (at[0] + offset[0], at[1] + offset[1])
            moved = float(np.abs(np.array(now.pos, float) - screen).max())
            pointed = _with(hints, start, end, is_box=moved > _STILL, leaves_out="Alt" in pressed)
            mask = helper[1].segment(seen[2], pointed)
            rows = slice(offset[0], offset[0] + region.height)
            inside = mask[rows, offset[1] : offset[1] + region.width]
            if keeps_others:
                inside = inside & ((before == 0) | (before == label))
            after = np.where(inside, np.uint8(label), before)
            self._object = _Object(region, label, before, pointed, after.copy())
            return after

        return painted

    def _continued(self, region: Region, paint: NDArray[np.uint8], label: int) -> _Object | None:
        """Return the last object, as long as nothing else was painted since."""
        last = self._object
        if last is None or last.region != region or last.label != label:
            return None
        return last if np.array_equal(last.after, paint) else None


def _with(
    hints: Prompts,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    is_box: bool,
    leaves_out: bool,
) -> Prompts:
    if is_box:
        rows, columns = sorted((start[0], end[0])), sorted((start[1], end[1]))
        return replace(hints, box=(rows[0], columns[0], rows[1], columns[1]))
    if leaves_out and (hints.inside or hints.box is not None):
        return replace(hints, outside=(*hints.outside, start))
    return replace(hints, inside=(*hints.inside, start))
