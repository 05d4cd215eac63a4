"""Archives from elsewhere, unpacked where nothing outside can be written."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from napari_active_seg.errors import AnnotationError

__all__ = ["unpack_archive"]

_MOST_BYTES = 20 * 2**30
_MOST_FILES = 200_000
#: Masks shrink well, but a thousandfold is a bomb.
_MOST_SHRUNK = 1_000
_ALWAYS_FINE = 100 * 2**20


def unpack_archive(path: Path, folder: Path) -> None:
    """Unpack the zip at ``path`` into the empty ``folder``.

    AnnotationError, with nothing written, if a name leads outside, a link is in it, or it would
    grow beyond all measure.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(path.name, entries)
            for entry in entries:
                target = folder / PurePosixPath(entry.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise AnnotationError(f"{path.name} cannot be unpacked: {error}") from error


def _check(name: str, entries: list[zipfile.ZipInfo]) -> None:
    size = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if len(entries) > _MOST_FILES or size > _MOST_BYTES:
        raise AnnotationError(f"{name} holds {len(entries):,} files of {size:,} bytes; split it")
    if size > max(_ALWAYS_FINE, _MOST_SHRUNK * packed):
        raise AnnotationError(f"{name} would grow from {packed:,} to {size:,} bytes; set it aside")
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        outside = entry.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]
        if outside or stat.S_ISLNK(entry.external_attr >> 16):
            raise AnnotationError(
                f"{name} holds {entry.filename!r}, which leads outside the archive; nothing of it "
                "was unpacked"
            )
