"""A simulated annotator: it knows the masks and reveals them where it is asked, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import (
    ImageRef,
    MaskConvention,
    detect_convention,
    find_masks,
    read_mask_target,
)
from napari_active_seg.regions import Region

__all__ = ["MaskOracle"]


class MaskOracle:
    """Ground truth from a folder of masks."""

    def __init__(
        self,
        masks: Mapping[str, Path],
        shapes: Mapping[str, tuple[int, int]],
        convention: MaskConvention,
    ) -> None:
        self._masks = dict(masks)
        self._shapes = dict(shapes)
        self._convention = convention

    @staticmethod
    def from_folder(folder: Path, images: tuple[ImageRef, ...], *, n_classes: int) -> MaskOracle:
        """Return an oracle for those of ``images`` that have a mask in ``folder``.

        ImageError if there is none at all, or one is not as large as its image.
        """
        masks = find_masks((ref.id for ref in images), folder)
        if not masks:
            raise ImageError(
                f"no mask in {folder} has the name of an image (such as {images[0].id}); "
                "name masks like their images, or NAME_mask"
            )
        convention = detect_convention(list(masks.values()), n_classes=n_classes)
        oracle = MaskOracle(masks, {ref.id: ref.shape for ref in images}, convention)
        for image_id in masks:
            oracle.whole(image_id)
        return oracle

    @property
    def convention(self) -> MaskConvention:
        """How the numbers in the masks were read."""
        return self._convention

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""
        return tuple(self._masks)

    def whole(self, image_id: str) -> NDArray[np.uint8]:
        """Return the target (H, W) of a whole image."""
        if image_id not in self._masks:
            raise ImageError(f"there is no mask for image {image_id}")
        return read_mask_target(
            self._masks[image_id], shape=self._shapes[image_id], convention=self._convention
        )

    def reveal(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        return self.whole(region.image_id)[region.slices]
