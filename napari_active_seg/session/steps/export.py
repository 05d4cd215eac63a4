"""Gather what is labelled and hand it to an exporter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.export import Exporter, ExportImage, ExportSet, RegionRow
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.project import Project, QueuedRegion
from napari_active_seg.regions import UNLABELLED, RegionLabel, RegionState

__all__ = ["ExportRequest", "ExportResponse", "composed_target", "export_labels"]


#: A mask of more pixels is more than a picture file or a laptop holds.
_MOST_PIXELS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, how and where to."""

    project: Project
    exporter: Exporter
    out: Path


@dataclass(frozen=True, slots=True)
class ExportResponse:
    """What was written."""

    images: int
    regions: int
    files: tuple[Path, ...]


def export_labels(request: ExportRequest, token: CancelToken, report: Report) -> ExportResponse:
    """Write the finished regions of every image that has one."""
    project = request.project
    done = [queued for queued in project.regions.queue() if queued.state is RegionState.DONE]
    if not done:
        raise NothingToDoError("no region is done yet, so there is nothing to export")
    by_image: dict[str, list[QueuedRegion]] = {}
    for queued in done:
        by_image.setdefault(queued.region.image_id, []).append(queued)
    data = ExportSet(
        name=project.config.name,
        schema=project.schema,
        images=tuple(
            ExportImage(
                image_id,
                project.images.split_of(image_id),
                _target_of(project, image_id, [queued.id for queued in regions]),
            )
            for image_id, regions in sorted(by_image.items())
        ),
        rows=tuple(_row(project, queued) for queued in done),
    )

    def on_image(number: int, total: int) -> None:
        token.check()
        report(number, total, data.images[number - 1].id)

    files = request.exporter.write(data, request.out, on_image=on_image)
    return ExportResponse(len(data.images), len(done), files)


def composed_target(
    shape: tuple[int, int], labels: Sequence[RegionLabel], *, step: int = 1
) -> NDArray[np.uint8]:
    """Return the target (H, W) of a whole image; a later label covers an earlier one.

    Where the later one is not labelled, the earlier one stays. With a ``step`` every step-th
    pixel along each axis comes back.
    """
    if shape[0] * shape[1] > _MOST_PIXELS * step * step:
        raise ImageError(
            f"a mask of {shape[0]:,} x {shape[1]:,} pixels is more than one picture can hold; "
            "leave this slide out of the export"
        )
    target = np.full(tuple(-(-length // step) for length in shape), UNLABELLED, np.uint8)
    for label in labels:
        region = label.region
        seen = label.target[-region.y % step :: step, -region.x % step :: step]
        top, left = -(-region.y // step), -(-region.x // step)
        part = target[top : top + seen.shape[0], left : left + seen.shape[1]]
        np.copyto(part, seen, where=seen != UNLABELLED)
    return target


def _target_of(
    project: Project, image_id: str, region_ids: Sequence[str]
) -> Callable[[], NDArray[np.uint8]]:
    def read() -> NDArray[np.uint8]:
        found = [project.labels.latest(region_id) for region_id in region_ids]
        shape = project.images.ref(image_id).shape
        return composed_target(shape, [label for label in found if label is not None])

    return read


def _row(project: Project, queued: QueuedRegion) -> RegionRow:
    label = project.labels.latest(queued.id)
    effort = label.effort if label else None
    return RegionRow(
        region=queued.id,
        image=queued.region.image_id,
        y=queued.region.y,
        x=queued.region.x,
        height=queued.region.height,
        width=queued.region.width,
        state=queued.state,
        kind=queued.kind,
        annotator=label.annotator if label else "",
        round=queued.round,
        information=queued.information,
        cost_s=queued.cost,
        active_s=effort.active_s if effort else 0.0,
        strokes=effort.strokes if effort else 0,
        clicks=effort.clicks if effort else 0,
        reason=queued.reason,
    )
