"""All that is current in a session, as one frozen value of ids and small facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from napari_active_seg.project import ModelRecord, Project, QueuedRegion, Split
from napari_active_seg.regions import LabelSchema, RegionState

__all__ = ["OPEN_STATES", "SessionState", "initial_state"]

#: States in which a region still waits for a person.
OPEN_STATES = frozenset({RegionState.PROPOSED, RegionState.IN_PROGRESS, RegionState.LATER})


@dataclass(frozen=True, slots=True)
class SessionState:
    """A snapshot; a change replaces it and is announced once."""

    project: str
    schema: LabelSchema
    image_ids: tuple[str, ...]
    validation_ids: frozenset[str]
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
    def done_in_pool(self) -> tuple[QueuedRegion, ...]:
        """Finished regions that a model may learn from."""
        return tuple(
            q
            for q in self.queue
            if q.state is RegionState.DONE and q.region.image_id not in self.validation_ids
        )

    @property
    def open_regions(self) -> tuple[QueuedRegion, ...]:
        """Regions that wait for a person; those put off to later come last."""
        waiting = [queued for queued in self.queue if queued.state in OPEN_STATES]
        return tuple(sorted(waiting, key=lambda queued: queued.state is RegionState.LATER))


def initial_state(project: Project) -> SessionState:
    """Return the state of a project that was just opened: at the first waiting region."""
    ids = tuple(ref.id for ref in project.images.all())
    model = project.models.in_use()
    has = project.predictions.has
    state = SessionState(
        project=project.config.name,
        schema=project.schema,
        image_ids=ids,
        validation_ids=frozenset(ref.id for ref in project.images.all(Split.VALIDATION)),
        measure=project.config.measure,
        queue=project.regions.queue(),
        models=project.models.all(),
        predicted=frozenset(i for i in ids if model is not None and has(model.id, i)),
    )
    if state.open_regions:
        first = state.open_regions[0]
        return replace(state, region_id=first.id, image_id=first.region.image_id)
    return replace(state, image_id=ids[0] if ids else None)
