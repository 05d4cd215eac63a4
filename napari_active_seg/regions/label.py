"""The label of a region, its state, and the effort that it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError, did_you_mean
from napari_active_seg.regions.region import Region
from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["LABEL_STARTS", "Effort", "RegionLabel", "RegionState", "find_strongest_start"]

#: How labelling a region can start, the least influence of the model first: what a person saw once
#: has an influence from then on.
LABEL_STARTS = {
    "blind": "no prediction was shown",
    "empty": "an empty region, next to the prediction",
    "prediction": "the prediction, inserted as a draft",
}


class RegionState(StrEnum):
    """Where a region stands in the queue; only done regions train."""

    PROPOSED = "proposed"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    SKIPPED = "skipped"
    CANT_TELL = "cant_tell"
    LATER = "later"


def find_strongest_start(beginnings: Iterable[str]) -> str:
    """Return the start with the most influence of the model; empty where none is known."""
    known = [name for name in beginnings if name]
    return max(known, key=tuple(LABEL_STARTS).index, default="")


@dataclass(frozen=True, slots=True)
class Effort:
    """Effort of labelling: seconds of work and of idling, and counted actions.

    ``begun`` is how labelling started (see ``LABEL_STARTS``); empty where that is unknown.
    """

    active_s: float = 0.0
    idle_s: float = 0.0
    strokes: int = 0
    clicks: int = 0
    undos: int = 0
    changed_px: int = 0
    begun: str = ""

    def __post_init__(self) -> None:
        if self.begun and self.begun not in LABEL_STARTS:
            raise BadInputError(
                f"no beginning {self.begun!r}: {did_you_mean(self.begun, LABEL_STARTS)}"
            )

    def __add__(self, other: Effort) -> Effort:
        return Effort(
            self.active_s + other.active_s,
            self.idle_s + other.idle_s,
            self.strokes + other.strokes,
            self.clicks + other.clicks,
            self.undos + other.undos,
            self.changed_px + other.changed_px,
            find_strongest_start((self.begun, other.begun)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegionLabel:
    """The target (H, W) uint8 that an annotator left in ``region``.

    ``objects`` (H, W) numbers the objects where they are separated, 0 being no object.
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
