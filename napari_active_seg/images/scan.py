"""Look through a folder: which pictures can be used, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from napari_active_seg.errors import ImageError, MissingExtraError
from napari_active_seg.images.opening import (
    IMAGE_SUFFIXES,
    candidate_files,
    check_image,
    check_name,
    open_image,
    printable_name,
)
from napari_active_seg.images.ref import absolute_path

__all__ = ["FoundImage", "Problem", "ScanResult", "scan_folder"]


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A picture that decodes; ``id`` is its path below the scanned folder.

    ``white`` is the value of full brightness where it has more than 8 bits.
    """

    id: str
    path: Path
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    white: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was set aside, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a folder holds."""

    images: tuple[FoundImage, ...]
    problems: tuple[Problem, ...]


def scan_folder(folder: Path, *, on_file: Callable[[int, int], None] | None = None) -> ScanResult:
    """Return the usable pictures below ``folder`` and the problems met.

    Each picture is decoded once, since it may be cut short without its header knowing; of a
    slide the places of all tiles are checked, and a few tiles decoded.
    ImageError where nothing can be used.
    """
    if not folder.is_dir():
        raise ImageError(f"no folder of images at {folder}")
    files = candidate_files(folder)
    images: list[FoundImage] = []
    problems: list[Problem] = []
    for number, path in enumerate(files, 1):
        name = path.relative_to(folder).as_posix()
        try:
            check_name(name)
            images.append(_looked_at(path, name))
        except (ImageError, MissingExtraError) as error:
            problems.append(Problem(printable_name(name), str(error)))
        if on_file is not None:
            on_file(number, len(files))
    if not images:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        why = f": {problems[0].why}" if problems else ""
        raise ImageError(f"no usable image in {folder} (looked for {kinds}){why}")
    return ScanResult(_with_one_white(images), tuple(problems))


def _looked_at(path: Path, name: str) -> FoundImage:
    source = open_image(path)
    check_image(source)
    return FoundImage(name, absolute_path(path), source.shape, source.spacing, source.white)


def _with_one_white(images: list[FoundImage]) -> tuple[FoundImage, ...]:
    """Give all deep pictures of a set the same white: one dark picture must not be brightened.

    Real numbers from 0 to 1 keep theirs.
    """
    white = max((image.white for image in images if image.white is not None), default=None)
    return tuple(
        image if image.white in (None, 1) else replace(image, white=white) for image in images
    )
