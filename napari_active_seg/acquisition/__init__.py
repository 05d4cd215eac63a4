"""Where to look next: regions by information per cost, and why each was chosen."""

from napari_active_seg.acquisition.cost import CostModel, value_per_cost
from napari_active_seg.acquisition.embedding import region_embedding
from napari_active_seg.acquisition.proposal import Proposal, RegionKind, ScoredRegion
from napari_active_seg.acquisition.reason import reason_for_drawn, reason_for_uncertain
from napari_active_seg.acquisition.strategy import STRATEGIES, Strategy, strategy_named
from napari_active_seg.acquisition.windows import (
    PoolImage,
    WindowPick,
    draw_windows,
    most_valuable_windows,
    window_starts,
)

__all__ = [
    "STRATEGIES",
    "CostModel",
    "PoolImage",
    "Proposal",
    "RegionKind",
    "ScoredRegion",
    "Strategy",
    "WindowPick",
    "draw_windows",
    "most_valuable_windows",
    "reason_for_drawn",
    "reason_for_uncertain",
    "region_embedding",
    "strategy_named",
    "value_per_cost",
    "window_starts",
]
