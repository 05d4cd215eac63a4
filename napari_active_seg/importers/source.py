"""The interface to files of labels: their images, and targets region by region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import ImageRef
from napari_active_seg.importers.masks import MaskConvention
from napari_active_seg.regions import Effort, Region, RegionShape, RegionState

__all__ = ["AnnotationSource", "DescribesReading", "HasProvenance", "Provenance"]


class AnnotationSource(Protocol):
    """Labels that came from elsewhere, as targets in the classes of a project."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the parts of an image that are labelled: all of it, or what was outlined."""

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids (H, W) of the objects in ``region``, 0 for none.

        None where the labels do not separate objects.
        """


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a part came to be: what a project of ours knew of the region when it was exported."""

    state: RegionState
    kind: str
    annotator: str
    round: int
    information: float
    cost: float
    reason: str
    effort: Effort
    draw_probability: float | None = None
    drawn_from: int = 0
    shape: RegionShape | None = None


@runtime_checkable
class HasProvenance(Protocol):
    """An AnnotationSource that remembers how its parts came to be."""

    def facts(self, part: Region) -> Provenance | None:
        """Return what is known of a part; None of one that it does not have."""


@runtime_checkable
class DescribesReading(Protocol):
    """An AnnotationSource that knows what a person should hear of how its labels were read."""

    @property
    def convention(self) -> MaskConvention | None:
        """How the numbers of masks are read; None where the labels are not masks."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or changed."""
