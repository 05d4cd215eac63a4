"""A researcher's bench: simulated annotators over the same verbs as the desktop's."""

from napari_active_seg.experiments.annotator import (
    AnnotatorSettings,
    Answer,
    answer,
    simplified,
)
from napari_active_seg.experiments.curve_point import CurvePoint
from napari_active_seg.experiments.polygon_study import (
    PolygonPoint,
    polygon_study,
    write_polygon_study,
)
from napari_active_seg.experiments.report import study_curves, study_report, write_study_report
from napari_active_seg.experiments.simulate import (
    SimulationSettings,
    folder_of_labelled_images,
    simulate,
)

__all__ = [
    "AnnotatorSettings",
    "Answer",
    "CurvePoint",
    "PolygonPoint",
    "SimulationSettings",
    "answer",
    "folder_of_labelled_images",
    "polygon_study",
    "simplified",
    "simulate",
    "study_curves",
    "study_report",
    "write_polygon_study",
    "write_study_report",
]
