"""Acquisition: which regions to label next, by information per cost, and why.

A ``Strategy`` composes measure x unit x cost x diversity x random shares. ``gather`` finds the
candidates of a pool, a ``Selector`` takes them one by one, a ``BudgetTracker`` limits what may be
taken, and each choice is explained.
"""

from napari_active_seg.acquisition.aggregation import AGGREGATES, Aggregate, pool_quantile
from napari_active_seg.acquisition.budget import BUDGET_UNITS, Budget, BudgetTracker, Cost
from napari_active_seg.acquisition.candidate_search import Search, gather
from napari_active_seg.acquisition.cost import (
    COSTS,
    LEARNED,
    ClassMaps,
    CostModel,
    get_cost,
    value_per_cost,
)
from napari_active_seg.acquisition.embedding import region_embedding
from napari_active_seg.acquisition.evaluation_quota import (
    EvaluationQuotas,
    Quota,
    control_due,
    required_sample_size,
    validation_due,
)
from napari_active_seg.acquisition.explanations import (
    CHOSEN_BY_HAND,
    reason_for_cost,
    reason_for_covering,
    reason_for_drawn,
    reason_for_likeness,
    reason_for_uncertain,
)
from napari_active_seg.acquisition.image_features import describe_appearance, standardise_features
from napari_active_seg.acquisition.k_centre import k_centre_greedy
from napari_active_seg.acquisition.learned_cost import (
    FROM_NETWORK,
    FROM_REGRESSION,
    CostExample,
    CostView,
    FitCost,
    FittedCost,
    LearnedCost,
    cost_features,
    fit_learned_cost,
)
from napari_active_seg.acquisition.manual import (
    SMALLEST_SIDE,
    box_between,
    fit_between,
    square_around,
)
from napari_active_seg.acquisition.polygon_simplification import simplify_outlines
from napari_active_seg.acquisition.pool_image import Candidate, PoolImage
from napari_active_seg.acquisition.proposal import (
    RANDOM_SHARES,
    Proposal,
    RegionKind,
    SamplingFrame,
    ScoredRegion,
)
from napari_active_seg.acquisition.random_windows import (
    draw_windows,
    draw_windows_on_foreground,
    scatter_windows,
)
from napari_active_seg.acquisition.selectors import Selector
from napari_active_seg.acquisition.strategy import (
    CHANGEABLE,
    DIVERSITIES,
    DRAWS,
    FIRST,
    STRATEGIES,
    UNITS,
    Strategy,
    StrategyParts,
    get_strategy,
)
from napari_active_seg.acquisition.strategy_advisor import (
    StrategyAdvice,
    group_sequences,
    measure_redundancy,
    recommend,
    similarity,
)

__all__ = [
    "AGGREGATES",
    "BUDGET_UNITS",
    "CHANGEABLE",
    "CHOSEN_BY_HAND",
    "COSTS",
    "DIVERSITIES",
    "DRAWS",
    "FIRST",
    "FROM_NETWORK",
    "FROM_REGRESSION",
    "LEARNED",
    "RANDOM_SHARES",
    "SMALLEST_SIDE",
    "STRATEGIES",
    "UNITS",
    "Aggregate",
    "Budget",
    "BudgetTracker",
    "Candidate",
    "ClassMaps",
    "Cost",
    "CostExample",
    "CostModel",
    "CostView",
    "EvaluationQuotas",
    "FitCost",
    "FittedCost",
    "LearnedCost",
    "PoolImage",
    "Proposal",
    "Quota",
    "RegionKind",
    "SamplingFrame",
    "ScoredRegion",
    "Search",
    "Selector",
    "Strategy",
    "StrategyAdvice",
    "StrategyParts",
    "box_between",
    "control_due",
    "cost_features",
    "describe_appearance",
    "draw_windows",
    "draw_windows_on_foreground",
    "fit_between",
    "fit_learned_cost",
    "gather",
    "get_cost",
    "get_strategy",
    "group_sequences",
    "k_centre_greedy",
    "measure_redundancy",
    "pool_quantile",
    "reason_for_cost",
    "reason_for_covering",
    "reason_for_drawn",
    "reason_for_likeness",
    "reason_for_uncertain",
    "recommend",
    "region_embedding",
    "required_sample_size",
    "scatter_windows",
    "similarity",
    "simplify_outlines",
    "square_around",
    "standardise_features",
    "validation_due",
    "value_per_cost",
]
