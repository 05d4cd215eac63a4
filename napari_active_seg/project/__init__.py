"""The project folder: everything that must survive, in files that can be copied."""

from napari_active_seg.project.checkpoint_header import checkpoint_facts, hash_weights
from napari_active_seg.project.config import (
    EDITABLE,
    MOST_IMAGE_CLASSES,
    STRATEGY_KEYS,
    TRAINING_KEYS,
    ProjectConfig,
)
from napari_active_seg.project.labels_table import TAKEN_BACK
from napari_active_seg.project.merging import MergeConflict, MergeReport, merge_projects
from napari_active_seg.project.project import Project, check_folder_free
from napari_active_seg.project.pseudonym_key import pseudonyms_for
from napari_active_seg.project.records import (
    CANT_TELL,
    Event,
    ImageAnswer,
    ModelRecord,
    Placement,
    ProposalFacts,
    QueuedRegion,
    SavedLabel,
    Split,
)
from napari_active_seg.project.regions_table import OFFERED_EVENT, PLACED_EVENT, WITHDRAWN_EVENT
from napari_active_seg.project.relink import Relinked, find_moved_images
from napari_active_seg.project.split import (
    assign_splits,
    explain_missing_validation,
    groups_in_several_splits,
)

__all__ = [
    "CANT_TELL",
    "EDITABLE",
    "MOST_IMAGE_CLASSES",
    "OFFERED_EVENT",
    "PLACED_EVENT",
    "STRATEGY_KEYS",
    "TAKEN_BACK",
    "TRAINING_KEYS",
    "WITHDRAWN_EVENT",
    "Event",
    "ImageAnswer",
    "MergeConflict",
    "MergeReport",
    "ModelRecord",
    "Placement",
    "Project",
    "ProjectConfig",
    "ProposalFacts",
    "QueuedRegion",
    "Relinked",
    "SavedLabel",
    "Split",
    "assign_splits",
    "check_folder_free",
    "checkpoint_facts",
    "explain_missing_validation",
    "find_moved_images",
    "groups_in_several_splits",
    "hash_weights",
    "merge_projects",
    "pseudonyms_for",
]
