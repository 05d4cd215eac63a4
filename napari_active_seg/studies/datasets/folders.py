"""Any folder of images with a folder of masks, for the pool and for the test."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.images import ImageRef, open_image, read_whole, scan_folder
from napari_active_seg.importers import AnnotationOptions, MaskConvention, open_masks
from napari_active_seg.regions import LabelSchema
from napari_active_seg.session.labels.whole_images import LabelledImage
from napari_active_seg.studies.datasets.base import DataSet, Sample

__all__ = ["LabelledFolder", "folder_of_labelled_images", "read_folders"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """The images of a folder with their masks, and what the numbers of these mean."""

    images: tuple[LabelledImage, ...]
    convention: MaskConvention


def read_folders(
    images: Path,
    masks: Path,
    test_images: Path,
    test_masks: Path,
    *,
    classes: Sequence[str],
    masks_as: str = "auto",
) -> DataSet:
    """Return the two pairs of folders as ``train`` and ``test``; every image needs a mask."""
    schema = LabelSchema.from_names(classes)
    folders = {"train": (images, masks), "test": (test_images, test_masks)}
    found = {
        part: folder_of_labelled_images(*pair, schema, masks_as=masks_as)
        for part, pair in folders.items()
    }
    return DataSet(
        tuple(classes),
        {part: _samples(folder.images) for part, folder in found.items()},
        tuple(
            f"Masks of {part} images are read as {folder.convention.describe()}."
            for part, folder in found.items()
        ),
    )


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
    images: Path, masks: Path, schema: LabelSchema, *, masks_as: str = "auto"
) -> LabelledFolder:
    """Return the images of one folder with their masks in another; all need one.

    ``masks_as`` is what the numbers in the masks mean: auto, or a mask convention.
    """
    scan = scan_folder(images)
    for note in scan.notes:
        _log.warning("%s: %s", images, note)
    found = {image.id: image for image in scan.images}
    refs = tuple(ImageRef(i.id, "", i.shape, i.spacing, "") for i in found.values())
    oracle = open_masks(masks, refs, schema, AnnotationOptions(masks_as))
    without = sorted(set(found) - set(oracle.image_ids))
    if without:
        raise BadInputError(f"no mask in {masks} for {', '.join(without[:5])}; add it or move it")
    shapes = {ref.id: ref for ref in refs}
    labelled = tuple(
        LabelledImage(
            image_id,
            partial(open_image, found[image_id].path, white=found[image_id].white),
            partial(oracle.whole, image_id),
            partial(oracle.objects, oracle.parts(shapes[image_id])[0]),
        )
        for image_id in found
    )
    return LabelledFolder(labelled, oracle.convention)
