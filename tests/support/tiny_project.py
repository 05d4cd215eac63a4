"""Regions and paint for projects in tests."""

import numpy as np

from napari_active_seg.acquisition import Proposal, ScoredRegion
from napari_active_seg.images import scan_folder
from napari_active_seg.project import Project, assign_splits
from napari_active_seg.regions import Effort, LabelSchema, Region, RegionState


def create(folder, pool, **more):
    """Make a project of the pool's images, one of them for validation."""
    scan = scan_folder(pool / "images")
    settings = {
        "schema": LabelSchema.from_names(["background", "disk"]),
        "images": scan.images,
        "splits": assign_splits([i.id for i in scan.images], val_fraction=0.25, seed=0),
        "images_dir": pool / "images",
        **more,
    }
    return Project.create(folder, **settings)


def add_regions(project, places, number=1):
    """Put regions of 16 x 16 at (image, y, x) into the queue and return their ids."""
    scored = tuple(ScoredRegion(Region(i, y, x, 16, 16), 1.0, 9.0, "") for i, y, x in places)
    proposal = Proposal(number, scored, "s", len(scored), 0, None, "hash")
    return [queued.id for queued in project.regions.add_proposal(proposal)]


def paint(project, region_id, value, annotator="Anna", state=RegionState.IN_PROGRESS, strokes=1):
    """Save a region painted all over with ``value`` and return the save's uid."""
    shape = project.regions.get(region_id).region.shape
    target = np.full(shape, value, np.uint8)
    effort = Effort(active_s=2.0, strokes=strokes)
    return project.labels.save(region_id, target, state=state, annotator=annotator, effort=effort)
