"""Scan a folder for usable pictures, and list the problems of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_active_seg.errors import ImageError, MissingExtraError
from napari_active_seg.images.image_ref import absolute_path
from napari_active_seg.images.in_memory import PlainImage
from napari_active_seg.images.open import (
    IMAGE_SUFFIXES,
    candidate_files,
    check_image,
    check_name,
    open_image,
    printable_name,
)
from napari_active_seg.images.planes import count_planes, describe_planes
from napari_active_seg.images.source import ImageSource

__all__ = ["FoundImage", "Problem", "ScanResult", "scan_files", "scan_folder"]

#: Grey values are counted on about this many pixels along the longer side.
_SAMPLED_SIDE = 512
#: JPEG blurs the two values of a mask: grey values this close count as one.
_JPEG_SPREAD = 24
#: This share of the pixels has to lie close to one of the two values.
_JPEG_SHARE = 0.98


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A picture that decodes; ``id`` is its path below the scanned folder.

    ``white`` is the value of full brightness where it has more than 8 bits. ``grey_values`` is 1
    or 2 where a plain picture is grey and has no more values than that: a mask, perhaps. The
    first of its ``planes`` is the one that is read.
    """

    id: str
    path: Path
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    white: int | None = None
    grey_values: int | None = None
    planes: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was set aside, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The usable pictures of a folder, and the problems of others."""

    images: tuple[FoundImage, ...]
    problems: tuple[Problem, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about images that are read in part."""
        return tuple(describe_planes({image.id: image.planes for image in self.images}))


def scan_folder(folder: Path, *, on_file: Callable[[int, int], None] | None = None) -> ScanResult:
    """Return the usable pictures below ``folder`` and the problems met.

    Each picture is decoded once, since it may be cut short without its header knowing; of a
    slide the places of all tiles are checked, and a few tiles decoded.
    ImageError where nothing can be used.
    """
    if not folder.is_dir():
        raise ImageError(f"no folder of images at {folder}")
    return scan_files(folder, candidate_files(folder), on_file=on_file)


def scan_files(
    folder: Path, files: Sequence[Path], *, on_file: Callable[[int, int], None] | None = None
) -> ScanResult:
    """Return the usable pictures among ``files`` below ``folder``; see ``scan_folder``."""
    images: list[FoundImage] = []
    problems: list[Problem] = []
    for number, path in enumerate(files, 1):
        name = path.relative_to(folder).as_posix()
        try:
            check_name(name)
            images.append(_inspect(path, name))
        except (ImageError, MissingExtraError) as error:
            problems.append(Problem(printable_name(name), str(error)))
        if on_file is not None:
            on_file(number, len(files))
    if not images:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        why = f": {problems[0].why}" if problems else ""
        raise ImageError(f"no usable image in {folder} (looked for {kinds}){why}")
    return ScanResult(_with_one_white(images), tuple(problems))


def _inspect(path: Path, name: str) -> FoundImage:
    source = open_image(path)
    check_image(source)
    return FoundImage(
        name,
        absolute_path(path),
        source.shape,
        source.spacing,
        source.white,
        _count_grey_values(source, is_jpeg=path.suffix.lower() in (".jpg", ".jpeg")),
        count_planes(path),
    )


def _count_grey_values(source: ImageSource, *, is_jpeg: bool) -> int | None:
    """Return 1 or 2 where a plain picture is grey with so few values; None for any other."""
    if not isinstance(source, PlainImage):
        return None
    height, width = source.shape
    step = max(1, max(height, width) // _SAMPLED_SIDE)
    pixels = source.read(0, 0, 0, height, width)[::step, ::step]
    spread = _JPEG_SPREAD if is_jpeg else 0
    if int(np.ptp(pixels.astype(np.int16), axis=2).max()) > spread:
        return None
    grey = pixels[..., 1]
    low, high = int(grey.min()), int(grey.max())
    if high - low <= spread:
        return 1
    near = (grey <= low + spread) | (grey >= high - spread)
    return 2 if near.mean() >= (_JPEG_SHARE if is_jpeg else 1.0) else None


def _with_one_white(images: list[FoundImage]) -> tuple[FoundImage, ...]:
    """Give all deep pictures of a set the same white: one dark picture must not be brightened.

    Real numbers from 0 to 1 keep theirs.
    """
    white = max((image.white for image in images if image.white is not None), default=None)
    return tuple(
        image if image.white in (None, 1) else replace(image, white=white) for image in images
    )
