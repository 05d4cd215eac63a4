"""A researcher's bench: simulated annotators over the same verbs as the desktop's."""

from napari_active_seg.experiments.annotator import (
    AnnotatorSettings,
    Answer,
    annotate_with,
    answer,
    simplified,
)
from napari_active_seg.experiments.datasets import READERS, Fit, folder_of_labelled_images
from napari_active_seg.experiments.papers import STUDIES, Scale, paper_study
from napari_active_seg.experiments.polygon_study import (
    PolygonPoint,
    polygon_study,
    write_polygon_study,
)
from napari_active_seg.experiments.simulate import arms_for, simulate, write_study
from napari_active_seg.experiments.study import (
    ArmSettings,
    DataSettings,
    RoundRecord,
    StartSettings,
    StudySettings,
)

__all__ = [
    "READERS",
    "STUDIES",
    "AnnotatorSettings",
    "Answer",
    "ArmSettings",
    "DataSettings",
    "Fit",
    "PolygonPoint",
    "RoundRecord",
    "Scale",
    "StartSettings",
    "StudySettings",
    "annotate_with",
    "answer",
    "arms_for",
    "folder_of_labelled_images",
    "paper_study",
    "polygon_study",
    "simplified",
    "simulate",
    "write_polygon_study",
    "write_study",
]
