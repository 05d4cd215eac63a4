"""The saved labels of one image, read from the store window by window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["ImageLabels"]


class ImageLabels:
    """Labels by the uids of their saves; a later label covers an earlier one.

    Where the later one is not labelled, the earlier one stays.
    """

    def __init__(self, project: Project, saves: Sequence[tuple[Region, str]]) -> None:
        self._project = project
        self._saves = tuple(saves)
        self._target = lru_cache(maxsize=8)(project.labels.get_target)
        self._objects = lru_cache(maxsize=8)(project.labels.get_objects)

    @property
    def labelled(self) -> tuple[Region, ...]:
        """Where labels lie."""
        return tuple(region for region, _ in self._saves)

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window, 255 where nothing is labelled."""
        found = np.full(window.shape, UNLABELLED, np.uint8)
        for region, uid in self._saves:
            if region.overlaps(window):
                here, there = _shared(window, region)
                part = self._target(uid)[there]
                np.copyto(found[here], part, where=part != UNLABELLED)
        return found

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects, 0 for none; None where they are not separated."""
        if self._offsets is None:
            return None
        found = np.zeros(window.shape, np.int32)
        for (region, uid), offset in zip(self._saves, self._offsets, strict=True):
            if region.overlaps(window):
                here, there = _shared(window, region)
                ids = self._objects(uid)
                if ids is None:
                    return None
                part, labelled = ids[there], self._target(uid)[there] != UNLABELLED
                np.copyto(found[here], np.where(part > 0, part + offset, 0), where=labelled)
        return found

    @cached_property
    def _offsets(self) -> tuple[int, ...] | None:
        """What is added to the ids of each label, so that no two objects of an image share one."""
        offsets, highest = [], 0
        for _, uid in self._saves:
            ids = self._project.labels.get_objects(uid)
            if ids is None:
                return None
            offsets.append(highest)
            highest += int(ids.max(initial=0))
        return tuple(offsets)


def _shared(window: Region, region: Region) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return what two share, as an index into each."""
    top, bottom = max(window.y, region.y), min(window.bottom, region.bottom)
    left, right = max(window.x, region.x), min(window.right, region.right)
    here = (slice(top - window.y, bottom - window.y), slice(left - window.x, right - window.x))
    there = (slice(top - region.y, bottom - region.y), slice(left - region.x, right - region.x))
    return here, there
