"""Rows of the project's database as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.regions import Region, RegionState

__all__ = ["ModelRecord", "QueuedRegion", "Split"]


class Split(StrEnum):
    """What an image is for; assigned once and never drawn again."""

    POOL = "pool"  #: regions for training come from here
    VALIDATION = "validation"  #: fixed, never trained on


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


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A trained model, with what it was trained on and how it did."""

    id: str
    created_at: float
    preset: str
    seed: int
    round: int
    classes: tuple[str, ...]
    data_hash: str
    metrics: Mapping[str, float]
    in_use: bool
