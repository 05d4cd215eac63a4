"""Find images again that were moved or renamed, by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageRef, candidate_files, compute_fingerprint

__all__ = ["Relinked", "find_moved_images"]


@dataclass(frozen=True, slots=True)
class Relinked:
    """Where images were found again, and which are still missing."""

    found: dict[str, Path]
    missing: tuple[str, ...]


def find_moved_images(
    missing: Iterable[ImageRef],
    folder: Path,
    *,
    on_file: Callable[[int, int], None] | None = None,
) -> Relinked:
    """Return the files below ``folder`` that have the fingerprints of ``missing`` images.

    Where several files are the same picture, the one whose name fits best is taken.
    """
    wanted = {ref.id: ref for ref in missing}
    by_print: dict[str, list[Path]] = {}
    files = candidate_files(folder)
    prints = {ref.fingerprint for ref in wanted.values()}
    for number, path in enumerate(files, 1):
        try:
            fingerprint = compute_fingerprint(path)
        except ImageError:
            continue  # a file that cannot be read is not the one
        if fingerprint in prints:
            by_print.setdefault(fingerprint, []).append(path)
        if on_file is not None:
            on_file(number, len(files))
    found = {
        image_id: _nearest_name(image_id, by_print[ref.fingerprint])
        for image_id, ref in wanted.items()
        if ref.fingerprint in by_print
    }
    return Relinked(found, tuple(i for i in wanted if i not in found))


def _nearest_name(image_id: str, paths: list[Path]) -> Path:
    name = Path(image_id).name
    return min(paths, key=lambda path: (path.name != name, str(path)))
