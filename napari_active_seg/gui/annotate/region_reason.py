"""Why a region is in the queue, in words for the person who reads it."""

from __future__ import annotations

from napari_active_seg.acquisition import CHOSEN_BY_HAND, RegionKind
from napari_active_seg.project import QueuedRegion

__all__ = ["chosen_by", "describe_reason"]


def chosen_by(queued: QueuedRegion, reader: str) -> str:
    """Return who placed an own region, as the annotator ``reader`` is told."""
    if queued.placed_by == reader:
        return "chosen by you"
    return f"chosen by {queued.placed_by or 'hand'}"


def describe_reason(queued: QueuedRegion, reader: str) -> str:
    """Return the reason of a region; of an own region with who placed it."""
    if queued.kind is not RegionKind.MANUAL:
        return queued.reason
    who = chosen_by(queued, reader)
    return f"{who[:1].upper()}{who[1:]}{queued.reason.removeprefix(CHOSEN_BY_HAND)}"
