"""Labels that know images by their file names, for a project that knows them by pseudonyms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import ImageRef
from napari_active_seg.importers.masks import MaskConvention
from napari_active_seg.importers.source import (
    AnnotationSource,
    DescribesReading,
    HasProvenance,
    Provenance,
)
from napari_active_seg.regions import Region

__all__ = ["RenamedImages"]


class RenamedImages:
    """An AnnotationSource under other names; ``own_names`` gives the source's for each of ours."""

    def __init__(self, source: AnnotationSource, own_names: Mapping[str, str]) -> None:
        self._source = source
        self._own_names = dict(own_names)

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows, under our names."""
        known = set(self._source.image_ids)
        return tuple(ours for ours, theirs in self._own_names.items() if theirs in known)

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the labelled parts of an image."""
        theirs = replace(image, id=self._own_names[image.id])
        return tuple(replace(part, image_id=image.id) for part in self._source.parts(theirs))

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        return self._source.read_target(self._theirs(region))

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids of the objects in ``region``, where they are separated."""
        return self._source.objects(self._theirs(region))

    @property
    def convention(self) -> MaskConvention | None:
        """How the numbers of masks are read, where the labels are masks."""
        source = self._source
        return source.convention if isinstance(source, DescribesReading) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or changed."""
        return self._source.notes if isinstance(self._source, DescribesReading) else ()

    def facts(self, part: Region) -> Provenance | None:
        """Return how a part came to be, where the labels remember that."""
        if not isinstance(self._source, HasProvenance):
            return None
        return self._source.facts(self._theirs(part))

    def _theirs(self, region: Region) -> Region:
        return replace(region, image_id=self._own_names[region.image_id])
