"""All that is current in a session, as one frozen value of ids and small facts."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import ModelRecord, Project, QueuedRegion, Split
from napari_active_seg.regions import LabelSchema, RegionState
from napari_active_seg.session.model_access.cache_key import predicted_images
from napari_active_seg.session.model_access.model_records import active_calibration
from napari_active_seg.session.ui_state import UiState

__all__ = ["OPEN_STATES", "Content", "SessionState", "describe_active_calibration", "initial_state"]

#: States in which a region still waits for a person.
OPEN_STATES = frozenset({RegionState.PROPOSED, RegionState.IN_PROGRESS, RegionState.LATER})


class Content(Enum):
    """What is stored in the project and only referred to by the state."""

    LABELS = "labels of finished regions"
    PREDICTIONS = "predictions of parts of slides"
    COMPARISONS = "predictions by the model before the one in use"
    FINDINGS = "evaluations, calibrations and reviews"
    IMAGE_ANSWERS = "classes of images"


@dataclass(frozen=True, slots=True)
class SessionState:
    """A snapshot; a change replaces it and is announced once."""

    project: str
    schema: LabelSchema
    image_ids: tuple[str, ...]
    validation_ids: frozenset[str]  #: never trained on: validation and test
    measure: str
    queue: tuple[QueuedRegion, ...] = ()
    models: tuple[ModelRecord, ...] = ()
    predicted: frozenset[str] = frozenset()
    image_id: str | None = None
    region_id: str | None = None
    jobs: tuple[JobKind, ...] = ()  #: the one that runs, then those that wait
    unsaved: frozenset[str] = frozenset()  #: regions with paint that is not on the disk yet
    missing: frozenset[str] = frozenset()  #: images whose files are not where they should be
    finished_as: str = ""  #: class of the region that was just finished without any paint
    read_only: bool = False
    taken_over_by: str = ""  #: who writes to the project now; empty unless it was taken over
    blind: bool = False  #: nothing of the model is shown, and regions come in a drawn order
    pace: str = ""  #: what is known of this person's own seconds, in words
    calibrated: str = ""  #: the calibration that is in force, in words; empty without one
    questions: tuple[QueuedRegion, ...] = ()  #: questions about the classes of images
    question_id: str | None = None

    @property
    def model(self) -> ModelRecord | None:
        """The model in use."""
        return next((record for record in self.models if record.in_use), None)

    @property
    def job(self) -> JobKind | None:
        """The job that runs."""
        return self.jobs[0] if self.jobs else None

    @property
    def region(self) -> QueuedRegion | None:
        """The region that is being labelled."""
        return next((queued for queued in self.queue if queued.id == self.region_id), None)

    @property
    def question(self) -> QueuedRegion | None:
        """The current question about an image; there is no current region then."""
        return next((asked for asked in self.questions if asked.id == self.question_id), None)

    @property
    def current_id(self) -> str | None:
        """The current region or question."""
        return self.region_id or self.question_id

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
    def proposed_regions(self) -> tuple[QueuedRegion, ...]:
        """Regions that were proposed, rather than images that came with their labels."""
        return tuple(q for q in self.queue if q.kind is not RegionKind.IMPORTED)

    @property
    def open_regions(self) -> tuple[QueuedRegion, ...]:
        """Regions that wait for a person; those put off to later come last.

        To a blind annotator they come in an order that has nothing to do with any score.
        """
        return self._in_turn(self.queue)

    @property
    def open_questions(self) -> tuple[QueuedRegion, ...]:
        """Images whose class waits for a person, in the same order as regions."""
        return self._in_turn(self.questions)

    def _in_turn(self, asked: tuple[QueuedRegion, ...]) -> tuple[QueuedRegion, ...]:
        now = [q for q in asked if q.state in OPEN_STATES and q.state is not RegionState.LATER]
        later = [q for q in asked if q.state is RegionState.LATER]
        if self.blind:
            for part in (now, later):
                part.sort(key=lambda queued: zlib.crc32(queued.id.encode()))
        return (*now, *later)


def describe_active_calibration(project: Project) -> str:
    """Return the calibration that is in force, in words; empty without one."""
    found = active_calibration(project, project.models.in_use())
    return "" if found is None else found.summary


def initial_state(project: Project, bookmark: UiState | None = None) -> SessionState:
    """Return the state of a project that was just opened.

    It is where the bookmark lies, if there is one, and at the first waiting region otherwise.
    """
    ids = tuple(ref.id for ref in project.images.all())
    measure = project.config.acquisition.measure
    state = SessionState(
        project=project.config.name,
        schema=project.schema,
        image_ids=ids,
        validation_ids=frozenset(
            i for i, placed in project.images.placements().items() if placed.split != Split.POOL
        ),
        measure=measure,
        queue=project.regions.queue(),
        questions=project.regions.questions(),
        models=project.models.all(),
        predicted=predicted_images(project, ids, measure),
        missing=frozenset(project.images.missing()),
        read_only=project.read_only,
        blind=project.config.blind,
        calibrated=describe_active_calibration(project),
    )
    if bookmark is not None and bookmark.image_id in set(ids) - state.missing:
        marked = next((q for q in state.queue if q.id == bookmark.region_id), None)
        here = marked is not None and marked.region.image_id == bookmark.image_id
        region_id = bookmark.region_id if here else None
        if here or not bookmark.region_id:
            return replace(state, image_id=bookmark.image_id, region_id=region_id)
    waiting = [q for q in state.open_regions if q.region.image_id not in state.missing]
    if waiting:
        first = waiting[0]
        return replace(state, region_id=first.id, image_id=first.region.image_id)
    there = [i for i in ids if i not in state.missing]
    return replace(state, image_id=there[0] if there else None)
