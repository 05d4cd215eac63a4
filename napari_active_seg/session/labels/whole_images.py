"""The labels of whole images, composed of their finished regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.images import ImageSource
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionLabel
from napari_active_seg.session.export import composed_target

__all__ = ["LabelledImage", "coarse_step", "compose_labels", "compose_objects", "labelled_images"]

#: Whole-image maps of more pixels than this are shown coarser.
_SHOWN_WHOLE = 16_000_000
#: Kinds of regions on which no model is measured.
_UNMEASURED = frozenset({RegionKind.MANUAL})


def _no_objects() -> None:
    return None


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with ways to its pixels and to its target (H, W), 255 for not labelled.

    ``objects`` gives their ids (H, W) where they are told apart. ``labels`` are the regions that
    the target is made of, where it comes from a project.
    """

    id: str
    source: Callable[[], ImageSource]
    target: Callable[[], NDArray[np.uint8]]
    objects: Callable[[], NDArray[np.int32] | None] = _no_objects
    labels: tuple[RegionLabel, ...] = ()


def labelled_images(project: Project, split: Split = Split.VALIDATION) -> tuple[LabelledImage, ...]:
    """Return the images of a split that carry labels.

    Regions that a person placed by hand are left out: a score of them would be biased.
    """
    refs = project.images.all(split)
    by_image: dict[str, list[RegionLabel]] = {}
    for label in project.labels.done([ref.id for ref in refs], without=_UNMEASURED):
        by_image.setdefault(label.region.image_id, []).append(label)
    return tuple(
        LabelledImage(
            ref.id,
            partial(project.images.source, ref.id),
            partial(compose_labels, project, ref.id, without=_UNMEASURED),
            partial(compose_objects, project, ref.id, without=_UNMEASURED),
            tuple(by_image[ref.id]),
        )
        for ref in refs
        if ref.id in by_image
    )


def compose_labels(
    project: Project, image_id: str, *, step: int = 1, without: Collection[RegionKind] = ()
) -> NDArray[np.uint8]:
    """Return the target of all finished regions of an image, every ``step``-th pixel of it.

    Regions of the kinds ``without`` are left out.
    """
    shape = project.images.ref(image_id).shape
    return composed_target(shape, project.labels.done([image_id], without=without), step=step)


def compose_objects(
    project: Project, image_id: str, *, without: Collection[RegionKind] = ()
) -> NDArray[np.int32] | None:
    """Return the ids of the objects of an image; None where some of its labels tell none apart."""
    labels = project.labels.done([image_id], without=without)
    whole = np.zeros(project.images.ref(image_id).shape, np.int32)
    for label in labels:
        if label.objects is None:
            return None
        own = np.where(label.objects > 0, label.objects + whole.max(), 0)
        whole[label.region.slices] = own
    return whole if labels else None


def coarse_step(shape: tuple[int, int]) -> int:
    """Return how many pixels become one where a whole slide is shown: 1 for plain images."""
    return max(1, math.ceil(math.sqrt(shape[0] * shape[1] / _SHOWN_WHOLE)))
