"""What the labels of a project have cost so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.project import Split
from napari_active_seg.regions import UNLABELLED, RegionState
from napari_active_seg.session import Session

__all__ = ["LabelCost", "count_label_cost"]


@dataclass(frozen=True, slots=True)
class LabelCost:
    """Finished regions of the pool, in the units that labels are paid in.

    Pixels are counted once, however many regions they lie in. Shares are of what is known of the
    pool; ``perimeter`` is the length of the outlines in pixels.
    """

    regions: int
    images: int
    pixels: int
    share: float
    validation_share: float
    clicks: int
    seconds: float
    perimeter: int


def count_label_cost(session: Session, known: Mapping[str, int]) -> LabelCost:
    """Return the costs of a project's labels; ``known`` has the labelled pixels of each truth."""
    project = session.project
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    done = [q for q in session.state.queue if q.state is RegionState.DONE]
    ours = {q.id: q.region.image_id for q in done if q.region.image_id in pool}
    efforts = [saved.effort for saved in project.labels.efforts() if saved.region_id in ours]
    pixels = perimeter = 0
    for image_id in sorted(set(ours.values())):
        target = session.labels.so_far(image_id)
        pixels += int((target != UNLABELLED).sum())
        perimeter += _outline(target)
    aside = sum(known[ref.id] for ref in project.images.all(Split.VALIDATION))
    of_pool = sum(known[image_id] for image_id in pool)
    return LabelCost(
        len(ours),
        len(set(ours.values())),
        pixels,
        pixels / of_pool,
        aside / of_pool,
        sum(effort.clicks for effort in efforts),
        sum(effort.active_s for effort in efforts),
        perimeter,
    )


def _outline(target: NDArray[np.uint8]) -> int:
    """Return how many pairs of neighbours are labelled and differ."""
    edges = 0
    for a, b in ((target[1:], target[:-1]), (target[:, 1:], target[:, :-1])):
        edges += int(((a != b) & (a != UNLABELLED) & (b != UNLABELLED)).sum())
    return edges
