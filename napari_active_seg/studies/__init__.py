"""Studies of active learning with simulated annotators, over the same session as the desktop."""

from napari_active_seg.studies.datasets import READERS, Fit, folder_of_labelled_images
from napari_active_seg.studies.papers import STUDIES, Scale, paper_study
from napari_active_seg.studies.polygon_study import (
    PolygonPoint,
    polygon_study,
    write_polygon_study,
)
from napari_active_seg.studies.segmentation import (
    ArmSettings,
    DataSettings,
    RoundRecord,
    StartSettings,
    StudySettings,
)
from napari_active_seg.studies.simulate import arms_for, simulate, write_study
from napari_active_seg.studies.simulated_annotator import (
    AnnotatorSettings,
    Answer,
    annotate_with,
    answer,
    simplified,
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
