"""Requests to label from elsewhere: masks, outlines, archives of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind, ScoredRegion
from napari_active_seg.errors import ConfigError
from napari_active_seg.importers import (
    AnnotationOptions,
    AnnotationSource,
    Provenance,
    RenamedImages,
    open_annotations,
    unpack_archive,
)
from napari_active_seg.project import Project, QueuedRegion
from napari_active_seg.regions import UNLABELLED, Effort, Region, RegionState, check_target
from napari_active_seg.session.labels.task import Annotate, LabelRequest

__all__ = ["import_request", "label_request"]


def label_request(
    project: Project,
    answers: Path | AnnotationSource,
    *,
    waiting: tuple[QueuedRegion, ...],
    only: str,
    image_ids: Collection[str] | None = None,
    annotate: Annotate | None = None,
    options: AnnotationOptions | None = None,
) -> LabelRequest:
    """Return the request to answer ``waiting`` regions, whole images, or all.

    ``answers`` are a folder of masks, read by ``options``, or labels that are open already.
    ``image_ids`` are the only images that are labelled whole, where they are given.
    """
    if only not in ("proposed", "images", "all"):
        raise ConfigError(f"only must be proposed, images or all, got {only!r}")
    whole = {q.region.image_id for q in project.regions.queue() if q.kind is RegionKind.IMPORTED}
    unasked = tuple(
        ref
        for ref in project.images.all()
        if ref.id not in whole and (image_ids is None or ref.id in image_ids)
    )
    return LabelRequest(
        regions=() if only == "images" else waiting,
        images=() if only == "proposed" else unasked,
        open_source=partial(_opened, project, answers, options or AnnotationOptions()),
        keep=_keeper(project, "masks" if annotate is None else "simulated", ""),
        place=project.regions.add_whole_image,
        annotate=annotate,
        before=sum(q.state is RegionState.DONE for q in project.regions.queue()),
    )


def import_request(
    project: Project, path: Path, *, options: AnnotationOptions, annotator: str
) -> LabelRequest:
    """Return the request to import all labels of ``path`` on the project's images.

    A part that was imported before gets another save in its history, not a second region.
    """
    return LabelRequest(
        regions=(),
        images=project.images.all(),
        open_source=partial(_opened, project, path, options),
        keep=_keeper(project, annotator, f"imported from {path.name}"),
        place=project.regions.add_whole_image,
        keep_known=partial(_keep_known, project, f"imported from {path.name}"),
    )


def _keep_known(
    project: Project,
    note: str,
    part: Region,
    facts: Provenance,
    target: NDArray[np.uint8],
    objects: NDArray[np.int32] | None,
) -> None:
    """Put a part in the queue in the state that it had, with its label and what that took.

    One that was done and of which the file holds no label (its format could not) is left out.
    """
    if facts.state is RegionState.DONE and (target == UNLABELLED).all():
        return
    region_id = project.regions.add_known(
        ScoredRegion(
            part,
            facts.information,
            facts.cost,
            facts.reason,
            RegionKind(facts.kind),
            facts.draw_probability,
            facts.drawn_from,
            facts.shape,
        ),
        facts.round,
    )
    if (target == UNLABELLED).all():
        if project.regions.get(region_id).state is not facts.state:
            project.regions.set_state(region_id, facts.state, annotator=facts.annotator)
        return
    check_target(target, n_classes=len(project.schema), where=f"region {region_id}")
    before = project.labels.latest(region_id)
    if before is not None and before.state is facts.state and (before.target == target).all():
        return
    project.labels.save(
        region_id,
        target,
        state=facts.state,
        annotator=facts.annotator,
        effort=facts.effort,
        note=note,
        objects=objects,
    )


def _keeper(
    project: Project, annotator: str, note: str
) -> Callable[[str, NDArray[np.uint8], NDArray[np.int32] | None, Effort], None]:
    def keep(
        region_id: str,
        target: NDArray[np.uint8],
        objects: NDArray[np.int32] | None,
        effort: Effort,
    ) -> None:
        check_target(target, n_classes=len(project.schema), where=f"region {region_id}")
        project.labels.save(
            region_id,
            target,
            state=RegionState.DONE,
            annotator=annotator,
            effort=effort,
            note=note,
            objects=objects,
        )

    return keep


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Yield the folder that an archive was unpacked to, or the path itself."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="active-seg-") as name:
        folder = Path(name)
        unpack_archive(path, folder)
        inside = list(folder.iterdir())
        yield inside[0] if len(inside) == 1 else folder


@contextmanager
def _opened(
    project: Project, answers: Path | AnnotationSource, options: AnnotationOptions
) -> Iterator[AnnotationSource]:
    """Yield labels by the project's names of its images, or as they are where they are open."""
    if not isinstance(answers, Path):
        yield answers
        return
    images, names = project.images.all(), project.images.file_names()
    own = tuple(replace(ref, id=names[ref.id]) for ref in images if ref.id in names)
    with _unpacked(answers) as place:
        files = tuple(project.images.path(ref.id) for ref in images if ref.id in names)
        options = replace(options, not_masks=files)
        source = open_annotations(place, own or images, project.schema, options)
        same = all(ours == theirs for ours, theirs in names.items())
        yield source if same else RenamedImages(source, names)
