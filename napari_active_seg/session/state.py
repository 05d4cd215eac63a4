"""All that is current in a session, as one frozen value of ids and small facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from napari_active_seg.project import ModelRecord, QueuedRegion
from napari_active_seg.regions import LabelSchema, RegionState

__all__ = ["OPEN_STATES", "SessionState"]

#: States in which a region still waits for a person.
OPEN_STATES = frozenset({RegionState.PROPOSED, RegionState.IN_PROGRESS, RegionState.LATER})


@dataclass(frozen=True, slots=True)
class SessionState:
    """A snapshot; a change replaces it and is announced once."""

    project: str
    schema: LabelSchema
    image_ids: tuple[str, ...]
    measure: str
    queue: tuple[QueuedRegion, ...] = ()
    models: tuple[ModelRecord, ...] = ()
    predicted: frozenset[str] = frozenset()
    image_id: str | None = None
    region_id: str | None = None
    job: str | None = None

    @property
    def model(self) -> ModelRecord | None:
        """The model in use."""
        return next((record for record in self.models if record.in_use), None)

    @property
    def region(self) -> QueuedRegion | None:
        """The region that is being labelled."""
        return next((queued for queued in self.queue if queued.id == self.region_id), None)

    @property
    def round(self) -> int:
        """The latest round, 0 before the first."""
        return max((queued.round for queued in self.queue), default=0)

    @property
    def counts(self) -> Counter[RegionState]:
        """How many regions are in each state."""
        return Counter(queued.state for queued in self.queue)

    @property
    def open_regions(self) -> tuple[QueuedRegion, ...]:
        """Regions that wait for a person; those put off to later come last."""
        waiting = [queued for queued in self.queue if queued.state in OPEN_STATES]
        return tuple(sorted(waiting, key=lambda queued: queued.state is RegionState.LATER))
