"""Rows of the project's database as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.regions import Effort, MaskedRegion, Region, RegionShape, RegionState

__all__ = [
    "CANT_TELL",
    "Event",
    "ImageAnswer",
    "ModelRecord",
    "Placement",
    "ProposalFacts",
    "QueuedRegion",
    "SavedLabel",
    "Split",
]


#: How tables show that a person could not decide what an image is.
CANT_TELL = "can't tell"


class Split(StrEnum):
    """What an image is for; assigned once and never drawn again."""

    POOL = "pool"  #: regions for training come from here
    VALIDATION = "validation"  #: fixed, never trained on; models are compared on it
    TEST = "audit"  #: never trained on and never chosen by; files keep the older word

    @property
    def display_name(self) -> str:
        """The split as a person reads it."""
        return "test" if self is Split.TEST else self.value


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image belongs: its split, the patient or slide it is of, and who set that."""

    split: Split
    group: str | None = None
    split_from: str = "drawn"  #: "drawn" by the seed, or "official"


@dataclass(frozen=True, slots=True)
class QueuedRegion:
    """A region of the queue with its state and the reason why it is there."""

    id: str
    region: Region
    state: RegionState
    kind: RegionKind
    round: int
    information: float
    cost: float
    reason: str
    shape: RegionShape | None = None  #: what may be painted of it, where that is not all
    draw_probability: float | None = None  #: None where it was chosen and not drawn
    drawn_from: int = 0
    proposal: str | None = None  #: uid of the proposal that it came with
    placed_by: str = ""  #: the annotator who placed it by hand

    @property
    def is_answered(self) -> bool:
        """Whether a person has finished it."""
        return self.state in (RegionState.DONE, RegionState.SKIPPED, RegionState.CANT_TELL)

    @property
    def place(self) -> MaskedRegion:
        """The area of the region that may be painted."""
        return MaskedRegion(self.region, self.shape)


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """How a proposal was made."""

    round: int
    strategy: str
    model_id: str | None
    config_hash: str
    seed: int


@dataclass(frozen=True, slots=True)
class SavedLabel:
    """One save in the history of a region's label; ``state`` is None where it is not known."""

    uid: str
    region_id: str
    saved_at: float
    annotator: str
    state: RegionState | None
    note: str
    effort: Effort


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A trained model, with what it was trained on and how it did.

    ``image_scores`` are the mean Dice of each validation image, so that models can be compared
    image by image; ``validation_hash`` names the labels that they were measured on.
    ``weights_hash`` is the SHA-256 of the file of weights, empty for models of older versions.
    """

    id: str
    created_at: float
    preset: str
    seed: int
    round: int
    classes: tuple[str, ...]
    data_hash: str
    metrics: Mapping[str, float]
    in_use: bool
    class_uids: tuple[int, ...] = ()
    image_scores: Mapping[str, float] = field(default_factory=dict)
    validation_hash: str = ""
    weights_hash: str = ""


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """A person's class of a whole image; no name stands for "can't tell"."""

    image_id: str
    name: str | None
    annotator: str
    at: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a project or a region, in the order in which it did."""

    at: float
    annotator: str
    what: str
    subject: str
    facts: Mapping[str, object]
