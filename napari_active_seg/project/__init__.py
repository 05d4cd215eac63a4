"""The project folder: everything that must survive, in files that can be copied."""

from napari_active_seg.project.config import ProjectConfig
from napari_active_seg.project.folder import Project, refuse_taken_folder
from napari_active_seg.project.records import ModelRecord, QueuedRegion, Split
from napari_active_seg.project.split import assign_splits

__all__ = [
    "ModelRecord",
    "Project",
    "ProjectConfig",
    "QueuedRegion",
    "Split",
    "assign_splits",
    "refuse_taken_folder",
]
