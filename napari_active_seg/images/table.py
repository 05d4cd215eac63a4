"""Tables beside images: which patient or slide each is of, and which split it belongs to."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_active_seg.errors import ConfigError, ImageError

__all__ = ["ImageFacts", "facts_for", "groups_by_pattern", "read_image_table"]

_NAME = ("image", "image_id", "image id", "name", "file", "filename", "file_name", "slide_file")
_GROUP = ("group", "patient", "patient id", "patient_id", "case", "case_id", "slide", "slide_id")
_SPLIT = ("split", "set", "subset", "fold")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a table says of an image."""

    group: str | None = None
    split: str | None = None


def read_image_table(path: Path) -> dict[str, ImageFacts]:
    """Return the facts of each image named in a CSV, by the name that it uses.

    Columns are known by their headings: image or name; patient, patient id, slide or group;
    split. ImageError if none names the image.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImageError(f"{path} cannot be read as a table: {error}") from error
    headings = {str(key).strip().casefold(): key for key in (rows[0] if rows else {})}
    name, group, split = (
        next((headings[h] for h in known if h in headings), None)
        for known in (_NAME, _GROUP, _SPLIT)
    )
    if name is None or (group is None and split is None):
        raise ImageError(
            f"{path} needs a column 'image' and a column 'patient' (or slide, group) or 'split'; "
            f"it has {', '.join(headings) or 'none'}"
        )
    return {
        str(row[name]).strip(): ImageFacts(
            (row[group] or "").strip() or None if group else None,
            (row[split] or "").strip() or None if split else None,
        )
        for row in rows
        if row[name]
    }


def facts_for(image_ids: Iterable[str], table: Mapping[str, ImageFacts]) -> dict[str, ImageFacts]:
    """Return the facts of those images that the table names, with or without folder and suffix."""
    bare = {PurePosixPath(name).name.casefold(): facts for name, facts in table.items()}
    if len(bare) < len(table):  # a file's name alone does not tell which is meant
        bare = {}
    folded = bare | {name.casefold(): facts for name, facts in table.items()}
    found: dict[str, ImageFacts] = {}
    for image_id in image_ids:
        path = PurePosixPath(image_id)
        names = (image_id, path.with_suffix("").as_posix(), path.name, path.stem)
        match = next((folded[n.casefold()] for n in names if n.casefold() in folded), None)
        if match is not None:
            found[image_id] = match
    return found


def groups_by_pattern(image_ids: Iterable[str], pattern: str) -> dict[str, str]:
    """Return the group of each image whose name matches ``pattern``.

    The group is what the first parentheses enclose, or the whole match. ConfigError if the
    pattern is no regular expression or matches nothing.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"group pattern {pattern!r} is no regular expression: {error}") from error
    matches = ((image_id, compiled.search(image_id)) for image_id in image_ids)
    groups = {i: match[1] if compiled.groups else match[0] for i, match in matches if match}
    if not groups:
        raise ConfigError(f"group pattern {pattern!r} matches no image name; try it on one of them")
    return {image_id: group for image_id, group in groups.items() if group}
