"""What an acquisition ends with: regions to label, each with its score, cost and reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from napari_active_seg.regions import MaskedRegion, Region, RegionShape

__all__ = ["RANDOM_SHARES", "Proposal", "RegionKind", "SamplingFrame", "ScoredRegion"]


class RegionKind(StrEnum):
    """Why a region is in the queue at all; the values are what project databases hold."""

    CHOSEN = "chosen"  #: by the strategy
    RANDOM = "drawn"  #: uniformly at random over tissue
    CONTROL = "control"  #: at random over the pool; the model is measured before it learns it
    VALIDATION = "validation"  #: at random on images set aside for validation
    TEST = "audit"  #: at random on images set aside for the final test
    INITIAL = "start"  #: to cover the pool or at random, since there was no model to ask
    IMPORTED = "whole"  #: a whole image that came with its labels
    IMAGE_QUESTION = "image"  #: a whole image of which a class is asked; nothing is painted
    MANUAL = "manual"  #: placed by a person; it trains, and no estimate is made from it

    @property
    def display_name(self) -> str:
        """The kind as tables show it to a person."""
        return "own region" if self is RegionKind.MANUAL else self.value


@dataclass(frozen=True, slots=True)
class ScoredRegion:
    """A region with the information expected from it and what it should cost.

    ``draw_probability`` is the probability with which a random draw took it out of
    ``drawn_from`` windows; None where the choice was deterministic.
    """

    region: Region
    information: float
    cost: float
    reason: str
    kind: RegionKind = RegionKind.CHOSEN
    draw_probability: float | None = None
    drawn_from: int = 0
    shape: RegionShape | None = None

    @property
    def place(self) -> MaskedRegion:
        """What may be painted of the region."""
        return MaskedRegion(self.region, self.shape)


#: Kinds that a draw put there, for estimates that hold for all images.
RANDOM_SHARES = frozenset({RegionKind.CONTROL, RegionKind.VALIDATION, RegionKind.TEST})


@dataclass(frozen=True, slots=True)
class SamplingFrame:
    """Out of what the regions of a round were drawn, for estimates that hold for the pool.

    Of ``n_units`` places ``n_impossible`` had no chance. ``covered`` is the share of the pool's
    free tissue that lies in one of them.
    """

    n_units: int
    n_impossible: int
    covered: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """The regions of one round, and all that is needed to propose them again.

    ``notes`` say what is to be spent, what was found on the way, and what is still needed.
    """

    round: int
    regions: tuple[ScoredRegion, ...]
    strategy: str
    budget: int
    seed: int
    model_id: str | None
    config_hash: str
    notes: tuple[str, ...] = ()
    offered: SamplingFrame | None = None  #: None where nothing was drawn
