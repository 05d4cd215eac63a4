"""Which regions the strip shows, and in which order: plain functions of a session's state."""

from __future__ import annotations

from collections.abc import Callable

from napari_active_seg.acquisition import RANDOM_SHARES, RegionKind
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import RegionState
from napari_active_seg.session.state import OPEN_STATES, SessionState

__all__ = ["FILTERS", "ORDERS", "in_order"]

Keeps = Callable[[QueuedRegion, SessionState], bool]

#: What may be shown, by the words of the box that says so.
FILTERS: dict[str, Keeps] = {
    "waiting": lambda q, _: q.state in OPEN_STATES,
    "all": lambda _q, _: True,
    "this image": lambda q, s: q.region.image_id == s.image_id,
    "done": lambda q, _: q.state is RegionState.DONE,
    "skipped or can't tell": lambda q, _: q.state in (RegionState.SKIPPED, RegionState.CANT_TELL),
    "put off": lambda q, _: q.state is RegionState.LATER,
    "drawn": lambda q, _: q.kind in RANDOM_SHARES,
    "own regions": lambda q, _: q.kind is RegionKind.MANUAL,
    "images to name": lambda q, _: q.kind is RegionKind.IMAGE_QUESTION,
}
#: By what they may be ordered.
ORDERS: dict[str, Callable[[QueuedRegion], tuple[object, ...]] | None] = {
    "in turn": None,
    "most uncertain": lambda q: (-q.information,),
    "quickest": lambda q: (q.cost,),
    "most per second": lambda q: (-q.information / max(q.cost, 1e-9),),
    "by image": lambda q: (q.region.image_id, q.region.y, q.region.x),
    "newest": lambda q: (-q.round,),
}


def in_order(state: SessionState, *, shown: str, by: str) -> tuple[QueuedRegion, ...]:
    """Return the regions, and the questions about images, that the strip shows, the first first.

    In turn means: as *next* goes through them, and then what is answered. To a blind annotator no
    other order is offered, since scores would show through.
    """
    keeps = FILTERS[shown]
    waiting = (*state.open_regions, *state.open_questions)
    answered = (q for q in (*state.queue, *state.questions) if q.state not in OPEN_STATES)
    asked = [
        queued
        for queued in (*waiting, *answered)
        if queued.kind is not RegionKind.IMPORTED and keeps(queued, state)
    ]
    key = None if state.blind else ORDERS[by]
    return tuple(asked if key is None else sorted(asked, key=key))
