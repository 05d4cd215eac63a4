"""Scores of predictions against labels, their intervals, and forecasts from them."""

from napari_active_seg.metrics.bootstrap import (
    LEAST_IMAGES,
    Interval,
    bootstrap_interval,
    resample_sums,
)
from napari_active_seg.metrics.boundaries import BoundaryScores, boundary_scores
from napari_active_seg.metrics.budget_curves import (
    auc_at_budget,
    auc_at_budget_doubled,
    budget_to_reach,
    score_at_budget,
)
from napari_active_seg.metrics.collapse import LEAST_COLLAPSED_SHARE, find_collapsed_class
from napari_active_seg.metrics.comparison import Comparison, compare
from napari_active_seg.metrics.confusion import ConfusionMatrix
from napari_active_seg.metrics.evaluation import ERROR_MEASURES, EvalReport
from napari_active_seg.metrics.glas import GlasSums, compute_glas_sums
from napari_active_seg.metrics.image_estimates import (
    Groups,
    estimate_over_images,
    scores_by_group,
)
from napari_active_seg.metrics.image_scores import ImageScores, score_image
from napari_active_seg.metrics.label_errors import (
    ClassConfidence,
    Contradiction,
    find_contradiction,
)
from napari_active_seg.metrics.learning_curve import CurveFit, Forecast, fit_curve
from napari_active_seg.metrics.object_scores import ObjectScores
from napari_active_seg.metrics.objects import ObjectCounts, count_objects
from napari_active_seg.metrics.panoptic import PanopticSums, compute_panoptic_sums
from napari_active_seg.metrics.report_io import report_from_facts, report_to_facts
from napari_active_seg.metrics.roc import BinnedRoc, roc_auc
from napari_active_seg.metrics.stopping import StopAdvice, advise_on_stopping

__all__ = [
    "ERROR_MEASURES",
    "LEAST_COLLAPSED_SHARE",
    "LEAST_IMAGES",
    "BinnedRoc",
    "BoundaryScores",
    "ClassConfidence",
    "Comparison",
    "ConfusionMatrix",
    "Contradiction",
    "CurveFit",
    "EvalReport",
    "Forecast",
    "GlasSums",
    "Groups",
    "ImageScores",
    "Interval",
    "ObjectCounts",
    "ObjectScores",
    "PanopticSums",
    "StopAdvice",
    "advise_on_stopping",
    "auc_at_budget",
    "auc_at_budget_doubled",
    "bootstrap_interval",
    "boundary_scores",
    "budget_to_reach",
    "compare",
    "compute_glas_sums",
    "compute_panoptic_sums",
    "count_objects",
    "estimate_over_images",
    "find_collapsed_class",
    "find_contradiction",
    "fit_curve",
    "report_from_facts",
    "report_to_facts",
    "resample_sums",
    "roc_auc",
    "score_at_budget",
    "score_image",
    "scores_by_group",
]
