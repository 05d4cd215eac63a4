"""The finished regions of a project, and whether models can be tested on them."""

from __future__ import annotations

from napari_active_seg.project import Project, QueuedRegion, Split
from napari_active_seg.regions import RegionState

__all__ = ["finished_in_pool", "groups_of", "latest_saves", "why_not_cross_validate"]


def why_not_cross_validate(project: Project) -> str:
    """Return why the finished regions do not allow a cross-validation; empty if they do."""
    if project.models.in_use() is None:
        return "no model is trained yet: finish regions, then train a first model"
    groups = groups_of(project)
    images = {queued.region.image_id for queued in finished_in_pool(project)}
    if not images:
        return "no region is finished: finish regions on two images or more"
    if len(images) == 1:
        return (
            "all finished regions lie on one image, and a model has to be tested on images that "
            "it was not trained on: finish a region on another image"
        )
    if len({groups.get(image_id) or image_id for image_id in images}) == 1:
        return (
            "all finished regions are of one patient or slide, and a model has to be tested on "
            "others: finish a region on an image of another one"
        )
    return ""


def finished_in_pool(project: Project) -> tuple[QueuedRegion, ...]:
    """Return the finished regions that models learn from."""
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    return tuple(
        queued
        for queued in project.regions.queue()
        if queued.state is RegionState.DONE and queued.region.image_id in pool
    )


def latest_saves(project: Project) -> dict[str, str]:
    """Return the latest save of each finished region of the pool."""
    finished = {queued.id for queued in finished_in_pool(project)}
    return {s.region_id: s.uid for s in project.labels.efforts() if s.region_id in finished}


def groups_of(project: Project) -> dict[str, str | None]:
    """Return the patient or slide of each image, where it is known."""
    return {i: placed.group for i, placed in project.images.placements().items()}
