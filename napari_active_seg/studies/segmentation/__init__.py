"""Studies: arms that choose in their own ways from one start, over seeds, measured alike."""

from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord, read_records
from napari_active_seg.studies.segmentation.runner import finished_records, run_study
from napari_active_seg.studies.segmentation.settings import (
    ArmSettings,
    DataSettings,
    StartSettings,
    StudySettings,
)

__all__ = [
    "ALL_LABELS",
    "ArmSettings",
    "DataSettings",
    "RoundRecord",
    "StartSettings",
    "StudySettings",
    "finished_records",
    "read_records",
    "run_study",
]
