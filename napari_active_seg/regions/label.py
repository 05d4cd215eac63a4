"""What a person left in a region, in which state it is, and what it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError, did_you_mean
from napari_active_seg.regions.region import Region
from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["BEGINNINGS", "Effort", "RegionLabel", "RegionState", "strongest_beginning"]

#: What the work on a region can begin with, the least influence of the model first: what was seen
#: once stays seen.
BEGINNINGS = {
    "blind": "nothing of the model was shown",
    "empty": "an empty region, beside what the model shows",
    "prediction": "the prediction, laid in as a draft",
}


class RegionState(StrEnum):
    """Where a region stands in the queue; only done regions train."""

    PROPOSED = "proposed"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    SKIPPED = "skipped"
    CANT_TELL = "cant_tell"
    LATER = "later"


def strongest_beginning(beginnings: Iterable[str]) -> str:
    """Return the beginning with the most influence of the model; empty where none is known."""
    known = [name for name in beginnings if name]
    return max(known, key=tuple(BEGINNINGS).index, default="")


@dataclass(frozen=True, slots=True)
class Effort:
    """What labelling took: seconds of work and of rest, and counted actions.

    ``begun`` says what the person began with (see ``BEGINNINGS``); empty where nobody knows.
    """

    active_s: float = 0.0
    idle_s: float = 0.0
    strokes: int = 0
    clicks: int = 0
    undos: int = 0
    changed_px: int = 0
    begun: str = ""

    def __post_init__(self) -> None:
        if self.begun and self.begun not in BEGINNINGS:
            raise BadInputError(
                f"no beginning {self.begun!r}: {did_you_mean(self.begun, BEGINNINGS)}"
            )

    def __add__(self, other: Effort) -> Effort:
        return Effort(
            self.active_s + other.active_s,
            self.idle_s + other.idle_s,
            self.strokes + other.strokes,
            self.clicks + other.clicks,
            self.undos + other.undos,
            self.changed_px + other.changed_px,
            strongest_beginning((self.begun, other.begun)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegionLabel:
    """The target (H, W) uint8 that an annotator left in ``region``.

    ``objects`` (H, W) numbers the objects where they are told apart, 0 being none.
    """

    region: Region
    target: NDArray[np.uint8]
    state: RegionState
    annotator: str
    effort: Effort = field(default_factory=Effort)
    objects: NDArray[np.int32] | None = None

    @property
    def labelled_pixels(self) -> int:
        """Number of pixels that carry a class."""
        return int(np.count_nonzero(self.target != UNLABELLED))
