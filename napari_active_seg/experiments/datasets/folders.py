"""Any folder of images with a folder of masks, for the pool and for the test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.annotations import MaskFolder
from napari_active_seg.errors import BadInputError
from napari_active_seg.experiments.datasets.base import DataSet, Sample
from napari_active_seg.images import ImageRef, open_image, read_whole, scan_folder
from napari_active_seg.session.steps.evaluate import LabelledImage

__all__ = ["folder_of_labelled_images", "read_folders"]


def read_folders(
    images: Path, masks: Path, test_images: Path, test_masks: Path, *, classes: Sequence[str]
) -> DataSet:
    """Return the two pairs of folders as ``train`` and ``test``; every image needs a mask."""
    parts = {
        part: _samples(folder_of_labelled_images(*folders, n_classes=len(classes)))
        for part, folders in (("train", (images, masks)), ("test", (test_images, test_masks)))
    }
    return DataSet(tuple(classes), parts)


def _samples(images: Sequence[LabelledImage]) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            Path(image.id).with_suffix("").as_posix(),
            partial(_pixels, image),
            image.target,
            image.objects if image.objects() is not None else None,  # type: ignore[arg-type]
        )
        for image in images
    )


def _pixels(image: LabelledImage) -> NDArray[np.uint8]:
    return read_whole(image.source(), image.id)


def folder_of_labelled_images(
    images: Path, masks: Path, *, n_classes: int
) -> tuple[LabelledImage, ...]:
    """Return the images of one folder with their masks in another; all need one."""
    found = {image.id: image for image in scan_folder(images).images}
    refs = tuple(ImageRef(i.id, "", i.shape, i.spacing, "") for i in found.values())
    oracle = MaskFolder.from_folder(masks, refs, n_classes=n_classes)
    without = sorted(set(found) - set(oracle.image_ids))
    if without:
        raise BadInputError(f"no mask in {masks} for {', '.join(without[:5])}; add it or move it")
    shapes = {ref.id: ref for ref in refs}
    return tuple(
        LabelledImage(
            image_id,
            partial(open_image, found[image_id].path),
            partial(oracle.whole, image_id),
            partial(oracle.objects, oracle.parts(shapes[image_id])[0]),
        )
        for image_id in found
    )
