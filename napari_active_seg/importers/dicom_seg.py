"""DICOM segmentations that this program wrote: a binary segment for each class."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError, MissingExtraError
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["DicomSegments"]

_UNKNOWN = "not labelled"


class DicomSegments:
    """The labels of one picture; what no segment holds is not labelled."""

    def __init__(self, path: Path, names: ClassNames, *, shape: tuple[int, int]) -> None:
        self._path = path
        self._names = names
        self._shape = shape

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window."""
        return self._whole[window.slices]

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return None: segments do not separate objects."""
        return None

    @cached_property
    def _whole(self) -> NDArray[np.uint8]:
        try:
            import highdicom as hd
        except ImportError as error:
            raise MissingExtraError(
                "DICOM SEG needs the package highdicom: pip install 'napari-active-seg[dicom]'"
            ) from error
        try:
            found = hd.seg.segread(str(self._path))
            masks = found.get_pixels_by_source_instance(
                [found.get_source_image_uids()[0][2]], assert_missing_frames_are_empty=True
            )[0]
            labels = [
                str(found.get_segment_description(number).segment_label)
                for number in found.segment_numbers
            ]
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError) as error:
            raise AnnotationError(f"{self._path.name} cannot be read: {error}") from error
        if masks.shape[:2] != self._shape:
            raise AnnotationError(f"{self._path.name} is not as large as its image; export again")
        target = np.full(self._shape, UNLABELLED, np.uint8)
        for place, label in enumerate(labels):
            if label != _UNKNOWN:
                value = self._names.value(label, where=self._path.name)
                target[masks[..., place] > 0] = value
        return target
