"""Look through a folder: which pictures can be used, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.errors import ImageError
from napari_active_seg.images.plain import IMAGE_SUFFIXES, PlainImage
from napari_active_seg.images.ref import absolute_path

__all__ = ["FoundImage", "Problem", "ScanResult", "scan_folder"]


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A picture that decodes; ``id`` is its path below the scanned folder."""

    id: str
    path: Path
    shape: tuple[int, int]
    spacing: tuple[float, float] | None


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

    Each file is decoded once, since a picture may be cut short without its header knowing.
    ImageError where nothing can be used.
    """
    if not folder.is_dir():
        raise ImageError(f"no folder of images at {folder}")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    images, problems = [], []
    for number, path in enumerate(files, 1):
        name = path.relative_to(folder).as_posix()
        try:
            source = PlainImage(path)
            images.append(FoundImage(name, absolute_path(path), source.shape, source.spacing))
        except ImageError as error:
            problems.append(Problem(name, str(error)))
        if on_file is not None:
            on_file(number, len(files))
    if not images:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        why = f": {problems[0].why}" if problems else ""
        raise ImageError(f"no usable image in {folder} (looked for {kinds}){why}")
    return ScanResult(tuple(images), tuple(problems))
