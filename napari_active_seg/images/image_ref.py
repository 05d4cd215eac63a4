"""References to images, by which a project finds and recognises them again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.errors import ImageError

__all__ = ["ImageRef", "absolute_path", "compute_fingerprint", "file_stamp"]

_WHOLE_FILE_UP_TO = 8 * 2**20


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image by id, with its path relative to the project folder where it has one.

    ``spacing`` is micrometres per pixel (y, x), None where the file has none.
    """

    id: str
    relative_path: str
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    fingerprint: str


def absolute_path(path: Path) -> Path:
    """Return ``path`` from the root on, links left as they are.

    A folder of links is a folder of images: following the links would tie a project to places
    that the person never named.
    """
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps the ".."


def file_stamp(path: Path) -> tuple[int, ...] | None:
    """Return size and times of a file, to detect changes; None for a folder.

    ImageError if the file cannot be read.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error
    if path.is_dir():
        return None
    return (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def compute_fingerprint(path: Path) -> str:
    """Return a hash that stays when the file moves and changes when its content does.

    Files over 8 MiB, such as slides, are known by their size, beginning, middle and end; folders,
    such as OME-Zarr, by the names and sizes of all their files and the text of their JSON.
    """
    if path.is_dir():
        return _fingerprint_of_folder(path)
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            if size <= _WHOLE_FILE_UP_TO:
                digest.update(file.read())
            else:
                for start in (0, size // 2, size - 2**20):
                    file.seek(start)
                    digest.update(file.read(2**20))
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()[:32]


def _fingerprint_of_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    try:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(folder).as_posix()}:{path.stat().st_size};".encode())
            if path.suffix == ".json" or path.name in (".zattrs", ".zarray", ".zgroup"):
                digest.update(path.read_bytes())
    except OSError as error:
        raise ImageError(f"{folder} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()[:32]
