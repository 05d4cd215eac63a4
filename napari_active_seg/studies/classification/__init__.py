"""Studies in which an image is a unit and a class is its label."""

from napari_active_seg.studies.classification.runner import (
    finished_rounds,
    run_classification,
)
from napari_active_seg.studies.classification.settings import (
    ClassificationArm,
    ClassificationStudy,
)
from napari_active_seg.studies.classification.splits import ImagePool

__all__ = [
    "ClassificationArm",
    "ClassificationStudy",
    "ImagePool",
    "finished_rounds",
    "run_classification",
]
