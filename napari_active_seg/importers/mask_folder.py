"""A folder of masks: ground truth for a simulated annotator, or labels to take over.

As a simulated annotator it reveals a mask in the regions of the queue alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageRef, count_planes, describe_planes
from napari_active_seg.importers.masks import (
    MaskConvention,
    MaskReading,
    detect_convention,
    find_masks,
    read_mask_ids,
    read_mask_target,
    shared_masks,
)
from napari_active_seg.regions import Region

__all__ = ["MaskFolder", "list_masks"]


def list_masks(
    images: tuple[ImageRef, ...], folder: Path, *, not_masks: Collection[Path] = ()
) -> dict[str, Path]:
    """Return the masks in ``folder`` by image; ImageError if none has the name of an image.

    ``not_masks`` are files that are left out, such as the images themselves.
    """
    masks = find_masks((ref.id for ref in images), folder, not_masks=not_masks)
    if not masks:
        raise ImageError(
            f"no mask in {folder} has the name of an image (such as {images[0].id}); "
            "name masks like their images, or NAME_mask"
        )
    shared = shared_masks(masks)
    if shared:
        path, images_of = next(iter(shared.items()))
        raise ImageError(
            f"mask {path.name} could be that of {' or '.join(images_of)}; give each image a name "
            "and a mask of its own"
        )
    return masks


class MaskFolder:
    """Masks by image, all read in one way."""

    def __init__(
        self,
        masks: Mapping[str, Path],
        shapes: Mapping[str, tuple[int, int]],
        reading: MaskReading,
    ) -> None:
        self._masks = dict(masks)
        self._shapes = dict(shapes)
        self.reading = reading

    @staticmethod
    def from_folder(
        folder: Path,
        images: tuple[ImageRef, ...],
        *,
        n_classes: int,
        not_masks: Collection[Path] = (),
    ) -> MaskFolder:
        """Return the masks in ``folder`` of those of ``images`` that have one.

        ImageError if there is none at all, or one is not as large as its image.
        """
        masks = list_masks(images, folder, not_masks=not_masks)
        reading = MaskReading(detect_convention(list(masks.values()), n_classes=n_classes))
        return MaskFolder.checked(masks, images, reading)

    @staticmethod
    def checked(
        masks: Mapping[str, Path], images: tuple[ImageRef, ...], reading: MaskReading
    ) -> MaskFolder:
        """Return ``masks`` once each was read and found to be as large as its image."""
        folder = MaskFolder(masks, {ref.id: ref.shape for ref in images}, reading)
        for image_id in folder.image_ids:
            folder.whole(image_id)
        return folder

    @property
    def convention(self) -> MaskConvention:
        """How the numbers in the masks are read."""
        return self.reading.convention

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out: planes of files, of which the first alone is read."""
        return tuple(describe_planes({p.name: count_planes(p) for p in self._masks.values()}))

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""
        return tuple(self._masks)

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the one region that covers the image."""
        return (Region.whole(image.id, image.shape),)

    def whole(self, image_id: str) -> NDArray[np.uint8]:
        """Return the target (H, W) of a whole image."""
        if image_id not in self._masks:
            raise ImageError(f"no mask for image {image_id}")
        path = self._masks[image_id]
        return read_mask_target(path, shape=self._shapes[image_id], reading=self.reading)

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        return self.whole(region.image_id)[region.slices]

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids of the objects in ``region``, where the masks hold such."""
        if self.reading.convention is not MaskConvention.INSTANCES:
            return None
        path = self._masks[region.image_id]
        ids = read_mask_ids(path, shape=self._shapes[region.image_id])
        return ids[region.slices]
