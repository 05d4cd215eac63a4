"""Mask files as targets: index values, 0 / 255, instance ids, napari's labels, colours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ConfigError, ImageError, did_you_mean
from napari_active_seg.images import PICTURE_SUFFIXES, absolute_path, read_array
from napari_active_seg.importers.colour_table import ColourTable
from napari_active_seg.importers.pairing import pair_masks
from napari_active_seg.regions import UNLABELLED

__all__ = [
    "MaskConvention",
    "MaskReading",
    "detect_convention",
    "find_masks",
    "read_mask_ids",
    "read_mask_target",
    "read_mask_values",
    "shared_masks",
]

_LOSSY_SUFFIXES = frozenset({".jpg", ".jpeg"})
#: Values this near to 0 or 255 are black or white in a mask with soft edges, of which at most
#: this share of pixels lies between, or this share of twice the white ones.
_NEAR, _MOST_BETWEEN = 64, 0.25
#: JPEG turns grey into colours whose channels differ by so much.
_JPEG_SPREAD = 24


class MaskConvention(StrEnum):
    """The meaning of the numbers in a folder of masks."""

    INDEX = "index"  #: 0..K-1 are classes, 255 is not labelled
    BINARY = "binary"  #: 0 is the first class, 255 the second, cut at the middle
    INSTANCES = "instances"  #: 0 is the first class, any id is the second
    NAPARI = "napari"  #: 0 is not labelled, 1..K are the classes, as napari's labels are painted
    COLOURS = "colours"  #: each colour is a class, by a table

    def describe(self) -> str:
        """Return the name of the convention with what its numbers mean."""
        return f"{self}: {_MEANINGS[self]}"

    @staticmethod
    def parse(name: str) -> MaskConvention | None:
        """Return the convention of this name, None for ``auto``; ConfigError for any other."""
        known = [str(convention) for convention in MaskConvention]
        if name not in ("auto", *known):
            raise ConfigError(
                f"masks cannot be read as {name!r}: {did_you_mean(name, ['auto', *known])}"
            )
        return None if name == "auto" else MaskConvention(name)


_MEANINGS = {
    MaskConvention.INDEX: "0 to K-1 are the classes, 255 is not labelled",
    MaskConvention.BINARY: "black is the first class, white the second, cut at the middle",
    MaskConvention.INSTANCES: "0 is the first class, every other number an object of the second",
    MaskConvention.NAPARI: "0 is not labelled, 1 to K are the classes",
    MaskConvention.COLOURS: "each colour is a class",
}


@dataclass(frozen=True, slots=True)
class MaskReading:
    """How to read the masks of one folder: convention, values to ignore, table of colours."""

    convention: MaskConvention
    ignore: tuple[int, ...] = ()
    colours: ColourTable | None = None


def find_masks(
    images: Iterable[str], folder: Path, *, not_masks: Collection[Path] = ()
) -> dict[str, Path]:
    """Return the mask of each image id that has one, by the image's name without suffix.

    ``name.png``, ``name_mask.png``, ``name_segmentation.png``, ``name_anno.bmp`` and the
    like are found, whatever their case, in sub-folders of the same layout too; the mask of
    ``train/images/name.png`` may be ``train/masks/name.png``. ``not_masks`` are files that are
    left out, such as the images themselves where they lie in the same folder.
    """
    if not folder.is_dir():
        raise ImageError(f"no folder of masks at {folder}")
    excluded = {absolute_path(path) for path in not_masks}
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and absolute_path(path) not in excluded
    }
    return {image: files[name] for image, name in pair_masks(images, files).items()}


def shared_masks(masks: Mapping[str, Path]) -> dict[Path, list[str]]:
    """Return the masks that more than one image has, such as ``a.png`` and ``a.jpg``."""
    images: dict[Path, list[str]] = defaultdict(list)
    for image_id, path in masks.items():
        images[path].append(image_id)
    return {path: sorted(found) for path, found in images.items() if len(found) > 1}


def detect_convention(
    paths: Sequence[Path], *, n_classes: int, ignore: Sequence[int] = ()
) -> MaskConvention:
    """Return the one convention that explains all of ``paths`` together.

    A single file can mislead (an image with one gland looks like an index mask), so the
    values of the whole folder decide. With two classes, instance ids and napari's labels
    cannot be distinguished by their values: ids are assumed, unless the caller sets it.
    """
    counts: Counter[int] = Counter()
    for path in paths:
        pixels = _read_pixels(path)
        if pixels.ndim == 3:
            return MaskConvention.COLOURS
        numbers, found = np.unique(pixels, return_counts=True)
        counts.update(dict(zip(numbers.tolist(), found.tolist(), strict=True)))
    for value in ignore:
        del counts[value]
    values = set(counts)
    if values <= {0, UNLABELLED} and n_classes == 2:
        return MaskConvention.BINARY
    lossy = next((path for path in paths if path.suffix.lower() in _LOSSY_SUFFIXES), None)
    is_index = all(0 <= v < n_classes or v == UNLABELLED for v in values)
    if n_classes == 2 and (lossy or not is_index) and _is_black_and_white(counts):
        return MaskConvention.BINARY
    if lossy is not None:
        raise ImageError(
            f"mask {lossy.name} is a JPEG, which changes the numbers of classes; export the masks "
            "again as PNG or TIFF"
        )
    if is_index:
        return MaskConvention.INDEX
    if n_classes == 2 and min(values) >= 0:
        return MaskConvention.INSTANCES
    if values <= set(range(n_classes + 1)):
        return MaskConvention.NAPARI
    strange = sorted(v for v in values if not 0 <= v < n_classes and v != UNLABELLED)[:5]
    raise ImageError(
        f"masks hold the values {', '.join(map(str, strange))} but there are {n_classes} classes "
        f"(0 to {n_classes - 1}, 255 for 'not labelled'); name all classes, give the values to "
        "ignore, or convert the masks"
    )


def _is_black_and_white(counts: Mapping[int, int]) -> bool:
    """Return whether values lie near 0 and 255, with few between: two classes with soft edges.

    Instance ids, which start at 1, have most of their pixels elsewhere.
    """
    dark = sum(n for value, n in counts.items() if value < _NEAR)
    bright = sum(n for value, n in counts.items() if 255 - _NEAR < value <= 255)
    total = sum(counts.values())
    whole = min(counts, default=-1) >= 0 and max(counts, default=0) <= 255
    return whole and bright > 0 and total - dark - bright <= _MOST_BETWEEN * min(total, 2 * bright)


def read_mask_target(
    path: Path, *, shape: tuple[int, int], reading: MaskReading
) -> NDArray[np.uint8]:
    """Return the target (H, W) of a mask file; ImageError unless it is as large as its image."""
    pixels = _read_fitting(path, shape)
    if reading.convention is MaskConvention.COLOURS:
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        if reading.colours is None:
            raise ImageError(f"mask {path.name} is a colour picture; give the table of its colours")
        return reading.colours.to_target(pixels, name=path.name)
    if pixels.ndim == 3:
        raise ImageError(f"mask {path.name} is a colour picture; want one number per pixel")
    ignored = np.isin(pixels, reading.ignore) if reading.ignore else None
    target = _target_of(pixels, reading.convention)
    if ignored is not None:
        target[ignored] = UNLABELLED
    return target


def read_mask_ids(path: Path, *, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return the object ids (H, W) of a mask file, as they stand there."""
    pixels = _read_fitting(path, shape)
    if pixels.ndim == 3:
        raise ImageError(f"mask {path.name} is a colour picture; want one number per pixel")
    return pixels.astype(np.int32)


def read_mask_values(path: Path) -> NDArray[np.integer]:
    """Return the whole numbers (H, W) of a mask file, or its colours (H, W, 3).

    Black and white with soft edges is cut at the middle.
    """
    pixels = _read_pixels(path)
    numbers, found = np.unique(pixels, return_counts=True)
    counts = dict(zip(numbers.tolist(), found.tolist(), strict=True))
    soft = pixels.ndim == 2 and not counts.keys() <= {0, 255} and _is_black_and_white(counts)
    return np.where(pixels > 127, 255, 0) if soft and len(counts) > 3 else pixels


def _read_fitting(path: Path, shape: tuple[int, int]) -> NDArray[np.integer]:
    pixels = _read_pixels(path)
    if pixels.shape[:2] != shape:
        raise ImageError(
            f"mask {path.name} is {pixels.shape[0]} x {pixels.shape[1]} but its image is "
            f"{shape[0]} x {shape[1]}; export it again at the image's size"
        )
    return pixels


def _target_of(values: NDArray[np.integer], convention: MaskConvention) -> NDArray[np.uint8]:
    if convention is MaskConvention.INDEX:
        return values.astype(np.uint8)
    if convention is MaskConvention.NAPARI:
        return np.where(values == 0, UNLABELLED, values - 1).astype(np.uint8)
    if convention is MaskConvention.BINARY:
        return (values > (0 if values.max(initial=0) == 1 else 127)).astype(np.uint8)
    return (values > 0).astype(np.uint8)


def _read_pixels(path: Path) -> NDArray[np.integer]:
    """Return whole numbers (H, W), or colours (H, W, 3) where they are not all grey."""
    pixels = read_array(path, indices=True)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        spread = np.ptp(pixels[..., :3].astype(np.int16), axis=-1).max(initial=0)
        if spread <= (_JPEG_SPREAD if path.suffix.lower() in _LOSSY_SUFFIXES else 0):
            pixels = pixels[..., 1]  # grey, though stored as a colour picture
        else:
            return pixels[..., :3].astype(np.int64)
    if pixels.ndim == 3:
        pixels = pixels[..., 0]
    if pixels.ndim != 2:
        raise ImageError(f"mask {path.name} has pixels of shape {pixels.shape}; want one plane")
    if pixels.dtype == np.bool_:
        return np.where(pixels, 255, 0).astype(np.int64)
    if pixels.dtype.kind not in "ui":
        raise ImageError(f"mask {path.name} holds {pixels.dtype}; want whole numbers")
    return pixels.astype(np.int64)
