"""Let a simulated annotator label regions, or take over whole masks as labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.images import ImageRef
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import Region
from napari_active_seg.session.oracle import MaskOracle

__all__ = ["LabelRequest", "LabelResponse", "label_from_masks"]


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Regions to answer, images to take over whole, and where the answers go."""

    regions: tuple[QueuedRegion, ...]
    whole_images: tuple[ImageRef, ...]
    load_oracle: Callable[[], MaskOracle]
    keep: Callable[[str, NDArray[np.uint8]], None]
    add_whole: Callable[[Region], str]


@dataclass(frozen=True, slots=True)
class LabelResponse:
    """How many regions and whole images were labelled, and which had no mask."""

    regions: int
    whole_images: int
    without_mask: tuple[str, ...]


def label_from_masks(request: LabelRequest, token: CancelToken, report: Report) -> LabelResponse:
    """Label everything that the masks know, saving each region before the next."""
    oracle = request.load_oracle()
    known = set(oracle.image_ids)
    regions = [queued for queued in request.regions if queued.region.image_id in known]
    images = [ref for ref in request.whole_images if ref.id in known]
    total = len(regions) + len(images)
    if total == 0:
        raise NothingToDoError(
            "there is nothing to label from these masks: propose regions first, "
            "or take whole masks over with --only images"
        )
    for number, queued in enumerate(regions):
        token.check()
        request.keep(queued.id, oracle.reveal(queued.region))
        report(number + 1, total, queued.region.image_id)
    for number, ref in enumerate(images, len(regions)):
        token.check()
        region = Region.whole(ref.id, ref.shape)
        request.keep(request.add_whole(region), oracle.whole(ref.id))
        report(number + 1, total, ref.id)
    asked = [queued.region.image_id for queued in request.regions]
    asked += [ref.id for ref in request.whole_images]
    missing = tuple(sorted({image_id for image_id in asked if image_id not in known}))
    return LabelResponse(len(regions), len(images), missing)
