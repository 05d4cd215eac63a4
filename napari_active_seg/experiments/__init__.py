"""A researcher's bench: simulated annotators over the same verbs as the desktop's."""

from napari_active_seg.experiments.curve_point import CurvePoint
from napari_active_seg.experiments.report import study_curves, study_report, write_study_report
from napari_active_seg.experiments.simulate import SimulationSettings, simulate

__all__ = [
    "CurvePoint",
    "SimulationSettings",
    "simulate",
    "study_curves",
    "study_report",
    "write_study_report",
]
