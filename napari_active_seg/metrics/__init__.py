"""Scores of predicted classes against labels."""

from napari_active_seg.metrics.comparison import Comparison, compared
from napari_active_seg.metrics.evaluation import EvalReport
from napari_active_seg.metrics.objects import ObjectCounts, count_objects
from napari_active_seg.metrics.pixels import ConfusionMatrix

__all__ = [
    "Comparison",
    "ConfusionMatrix",
    "EvalReport",
    "ObjectCounts",
    "compared",
    "count_objects",
]
