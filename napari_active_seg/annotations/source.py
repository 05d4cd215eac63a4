"""The seam to any file of labels: which images it knows, and their targets part by part."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import ImageRef
from napari_active_seg.regions import Region

__all__ = ["AnnotationSource"]


class AnnotationSource(Protocol):
    """Labels that came from elsewhere, as targets in the classes of a project."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the parts of an image that are labelled: all of it, or what was outlined."""

    def reveal(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids (H, W) of the objects in ``region``, 0 for none.

        None where the labels do not tell objects apart.
        """
