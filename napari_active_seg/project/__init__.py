"""The project folder: settings, database, models and cache, in files that can be copied."""

from napari_active_seg.project.checkpoint_header import checkpoint_facts, hash_weights
from napari_active_seg.project.config import (
    MOST_IMAGE_CLASSES,
    SETTINGS,
    ProjectConfig,
)
from napari_active_seg.project.labels_table import TAKEN_BACK
from napari_active_seg.project.merging import MergeConflict, MergeReport, merge_projects
from napari_active_seg.project.old_settings import (
    migrate_settings,
    migrate_strategy_parts,
    migrate_training,
    restore_old_names,
)
from napari_active_seg.project.project import Project, check_folder_free
from napari_active_seg.project.pseudonym_key import draw_pseudonyms
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
from napari_active_seg.project.strategy_options import StrategyOptions

__all__ = [
    "CANT_TELL",
    "MOST_IMAGE_CLASSES",
    "OFFERED_EVENT",
    "PLACED_EVENT",
    "SETTINGS",
    "TAKEN_BACK",
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
    "StrategyOptions",
    "assign_splits",
    "check_folder_free",
    "checkpoint_facts",
    "draw_pseudonyms",
    "explain_missing_validation",
    "find_moved_images",
    "groups_in_several_splits",
    "hash_weights",
    "merge_projects",
    "migrate_settings",
    "migrate_strategy_parts",
    "migrate_training",
    "restore_old_names",
]
