"""Proposals: regions to label, each with its score, cost and reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from napari_active_seg.regions import MaskedRegion, Region, RegionShape

__all__ = ["RANDOM_SHARES", "Proposal", "RegionKind", "SamplingFrame", "ScoredRegion"]


class RegionKind(StrEnum):
    """Why a region is in the queue; project databases hold the values."""

    CHOSEN = "chosen"  #: by the strategy
    RANDOM = "drawn"  #: uniformly at random over tissue
    CONTROL = "control"  #: at random over the pool; the model is measured before it learns it
    VALIDATION = "validation"  #: at random on images set aside for validation
    TEST = "audit"  #: at random on the test images
    INITIAL = "start"  #: to cover the pool or at random, before the first model
    IMPORTED = "whole"  #: a whole image that came with its labels
    IMAGE_QUESTION = "image"  #: a whole image that needs a class; nothing is painted
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
        """The area of the region that may be painted."""
        return MaskedRegion(self.region, self.shape)


#: Kinds that a draw put there, for estimates that hold for all images.
RANDOM_SHARES = frozenset({RegionKind.CONTROL, RegionKind.VALIDATION, RegionKind.TEST})


@dataclass(frozen=True, slots=True)
class SamplingFrame:
    """The candidates that the regions of a round were drawn from, for unbiased estimates.

    Of ``n_units`` places ``n_impossible`` had no chance. ``covered`` is the share of the pool's
    free tissue that lies in one of them.
    """

    n_units: int
    n_impossible: int
    covered: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """The regions of one round, and all that is needed to propose them again.

    Parameters
    ----------
    round
        Number of the round.
    regions
        The proposed regions, in the order of the queue.
    strategy
        Name of the strategy.
    budget
        Number of regions that were requested.
    seed
        Seed of all random draws.
    model_id
        The model whose predictions were used; None without one.
    config_hash
        Hash of the settings.
    notes
        Messages for a person: the cost, warnings, and further regions that are needed.
    offered
        The candidates of the random draws; None where nothing was drawn.
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
