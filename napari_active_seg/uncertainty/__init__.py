"""Moments of several predictions of the same pixels, and uncertainty measures of them."""

from napari_active_seg.uncertainty.image_scores import count_above, high_entropy_count
from napari_active_seg.uncertainty.moments import EXTRAS, Moments, MomentStream, Prediction
from napari_active_seg.uncertainty.registry import (
    MEASURES,
    Measure,
    check_measure,
    get_measure,
    measure_titles,
)

__all__ = [
    "EXTRAS",
    "MEASURES",
    "Measure",
    "MomentStream",
    "Moments",
    "Prediction",
    "check_measure",
    "count_above",
    "get_measure",
    "high_entropy_count",
    "measure_titles",
]
