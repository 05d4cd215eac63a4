"""Names of files: one for each image or piece, whatever the system or the tool."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from napari_active_seg.export.dataset import Sample

__all__ = ["make_flat_names", "make_path_names"]


def make_flat_names(pieces: Sequence[Sample]) -> dict[str, str]:
    """Return a name of ASCII letters, digits, - and _ for each piece's name, no two the same."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for piece in pieces:
        plain = unicodedata.normalize("NFKD", piece.name.replace("/", "__"))
        ascii_only = plain.encode("ascii", "ignore").decode("ascii")
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", ascii_only).strip("-") or "image"
        name, number = stem, 2
        while name.casefold() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        found[piece.name] = name
    return found


def make_path_names(image_ids: Sequence[str]) -> Mapping[str, str]:
    """Return a path without suffix for each image; suffixes stay where names would be equal."""
    bare = {i: PurePosixPath(i).with_suffix("").as_posix() for i in image_ids}
    counts: dict[str, int] = {}
    for name in bare.values():
        counts[name.casefold()] = counts.get(name.casefold(), 0) + 1
    found: dict[str, str] = {}
    taken: set[str] = set()
    for image_id in image_ids:
        name = bare[image_id]
        if counts[name.casefold()] > 1:
            path = PurePosixPath(image_id)
            name = path.with_name(path.name.replace(".", "_")).as_posix()
        number, wanted = 2, name
        while name.casefold() in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name.casefold())
        found[image_id] = name
    return found
