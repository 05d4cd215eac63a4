"""Mask files as targets: index values, 0 / 255, or instance ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images.plain import PICTURE_SUFFIXES, read_array
from napari_active_seg.regions import UNLABELLED

__all__ = ["MaskConvention", "detect_convention", "find_masks", "read_mask_target"]

_SUFFIXES_OF_MASKS = ("", "_mask", "_segmentation", "_anno", "_label", "_labels", "_gt")


class MaskConvention(StrEnum):
    """What the numbers of a folder of masks mean."""

    INDEX = "index"  #: 0..K-1 are classes, 255 is not labelled
    BINARY = "binary"  #: 0 is the first class, 255 is the second
    INSTANCES = "instances"  #: 0 is the first class, any id is the second


def find_masks(images: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return the mask of each image id that has one, by the image's name without suffix.

    ``name.png``, ``name_mask.png``, ``name_segmentation.png``, ``name_anno.bmp`` and the
    like are found, in sub-folders of the same layout too.
    """
    if not folder.is_dir():
        raise ImageError(f"no folder of masks at {folder}")
    files = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES
    }
    found: dict[str, Path] = {}
    for image_id in images:
        stem = Path(image_id).with_suffix("").as_posix()
        candidates = (files.get(stem + ending) for ending in _SUFFIXES_OF_MASKS)
        match = next((path for path in candidates if path is not None), None)
        if match is not None:
            found[image_id] = match
    return found


def detect_convention(paths: Sequence[Path], *, n_classes: int) -> MaskConvention:
    """Return the one convention that explains all of ``paths`` together.

    A single file can mislead (an image with one gland looks like an index mask), so the
    values of the whole folder decide.
    """
    values = {int(v) for path in paths for v in np.unique(_read_indices(path))}
    if values <= {0, UNLABELLED} and n_classes == 2:
        return MaskConvention.BINARY
    if all(v < n_classes or v == UNLABELLED for v in values):
        return MaskConvention.INDEX
    if n_classes == 2 and min(values) >= 0:
        return MaskConvention.INSTANCES
    strange = sorted(v for v in values if v >= n_classes and v != UNLABELLED)[:5]
    raise ImageError(
        f"masks hold the values {', '.join(map(str, strange))} but there are {n_classes} classes "
        f"(0 to {n_classes - 1}, 255 for 'not labelled'); name all classes or convert the masks"
    )


def read_mask_target(
    path: Path, *, shape: tuple[int, int], convention: MaskConvention
) -> NDArray[np.uint8]:
    """Return the target (H, W) of a mask file; ImageError unless it is as large as its image."""
    values = _read_indices(path)
    if values.shape != shape:
        raise ImageError(
            f"mask {path.name} is {values.shape[0]} x {values.shape[1]} but its image is "
            f"{shape[0]} x {shape[1]}; export it again at the image's size"
        )
    if convention is MaskConvention.INDEX:
        return values.astype(np.uint8)
    return (values > 0).astype(np.uint8)


def _read_indices(path: Path) -> NDArray[np.integer]:
    pixels = read_array(path, indices=True)
    if pixels.ndim == 3 and (pixels[..., :1] == pixels[..., :3]).all():
        pixels = pixels[..., 0]  # grey, though stored as a colour picture
    if pixels.ndim != 2:
        raise ImageError(f"mask {path.name} is a colour picture; want one number per pixel")
    if pixels.dtype == np.bool_:
        return np.where(pixels, 255, 0).astype(np.int64)
    if pixels.dtype.kind not in "ui":
        raise ImageError(f"mask {path.name} holds {pixels.dtype}; want whole numbers")
    return pixels.astype(np.int64)
