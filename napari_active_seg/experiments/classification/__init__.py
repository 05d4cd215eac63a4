"""Studies in which an image is a unit and a class is its label."""

from napari_active_seg.experiments.classification.pool import ImagePool
from napari_active_seg.experiments.classification.running import (
    finished_rounds,
    run_classification,
)
from napari_active_seg.experiments.classification.settings import (
    ClassificationArm,
    ClassificationStudy,
)

__all__ = [
    "ClassificationArm",
    "ClassificationStudy",
    "ImagePool",
    "finished_rounds",
    "run_classification",
]
