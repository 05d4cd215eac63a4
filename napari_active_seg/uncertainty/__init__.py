"""What several predictions of the same pixels say together, and how unsure they are."""

from napari_active_seg.uncertainty.measures import MEASURES, Measure, measure_named
from napari_active_seg.uncertainty.moments import Moments, MomentStream, Prediction

__all__ = [
    "MEASURES",
    "Measure",
    "MomentStream",
    "Moments",
    "Prediction",
    "measure_named",
]
