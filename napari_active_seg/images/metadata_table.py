"""Tables next to images: the patient or slide of each image, and its split."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_active_seg.errors import ConfigError, ImageError

__all__ = ["ImageFacts", "MatchedTable", "find_groups_by_pattern", "get_image_facts", "match_table"]
__all__ += ["describe_unmatched_images", "read_image_table"]

_NAME = ("image", "image_id", "image id", "name", "file", "filename", "file_name", "slide_file")
_GROUP = ("group", "patient", "patient id", "patient_id", "case", "case_id", "slide", "slide_id")
_SPLIT = ("split", "set", "subset", "fold")
#: Most names in a message; the number of all is given with them.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The row of a table about an image."""

    group: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        """Return the facts as a message shows them."""
        group = "no patient" if self.group is None else f"patient {self.group!r}"
        return group if self.split is None else f"{group}, split {self.split!r}"


@dataclass(frozen=True, slots=True)
class MatchedTable:
    """The facts of every image, and the names in rows that no image has."""

    facts: dict[str, ImageFacts]
    unmatched: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about rows that were not used."""
        if not self.unmatched:
            return ()
        number = len(self.unmatched)
        rows = "1 row of the table names" if number == 1 else f"{number} rows of the table name"
        return (f"{rows} no image here: {_list_names(self.unmatched)}",)


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
    found: dict[str, ImageFacts] = {}
    for row in rows:
        image = str(row[name] or "").strip()
        facts = ImageFacts(
            (row[group] or "").strip() or None if group else None,
            (row[split] or "").strip() or None if split else None,
        )
        if not image:
            continue
        if found.setdefault(image, facts) != facts:
            raise ImageError(
                f"{path} has two rows for {image!r} that differ: {found[image]}, and {facts}; "
                "keep the one that is right"
            )
    return found


def match_table(path: Path, image_ids: Iterable[str]) -> MatchedTable:
    """Return the facts that the table at ``path`` gives to every one of the images.

    ImageError where no row names an image, where a row could mean several images or an image has
    rows that differ, and where an image has no row, or no patient though others have one: a patient
    who is not known could be on both sides of the split.
    """
    ids, table = list(image_ids), read_image_table(path)
    rows = _rows_by_image(ids, table)
    meant: dict[str, list[str]] = defaultdict(list)
    for image_id, found in rows.items():
        for name in found:
            meant[name].append(image_id)
    if not meant:
        raise ImageError(
            f"no row of {path} names an image: it has {_list_names(list(table))}, and the images "
            f"are {_list_names(ids)}; write the names of their files into the table"
        )
    for name, images in meant.items():
        if len(images) > 1:
            raise ImageError(
                f"the row {name!r} of {path} could mean {_list_names(images)}; write the whole "
                "name of the file with its folder, one row for each"
            )
    for image_id, found in rows.items():
        if len({table[name] for name in found}) > 1:
            conflicts = " and ".join(f"{name!r} ({table[name]})" for name in found)
            raise ImageError(
                f"rows of {path} that differ are about one image, {image_id}: {conflicts}; keep "
                "the one that is right"
            )
    facts = {image_id: table[found[0]] for image_id, found in rows.items() if found}
    without = [image_id for image_id in ids if image_id not in facts]
    if without:
        raise ImageError(
            f"{path} has no row for {_describe_count(without, ids)}; add a row with the patient of "
            "each, or leave the table out"
        )
    unknown = [image_id for image_id, fact in facts.items() if fact.group is None]
    if 0 < len(unknown) < len(facts):
        raise ImageError(
            f"{path} has no patient for {_describe_count(unknown, ids)}; name the patient of each "
            "image, or leave the column of patients out"
        )
    return MatchedTable(facts, tuple(name for name in table if name not in meant))


def _rows_by_image(ids: Sequence[str], table: Iterable[str]) -> dict[str, list[str]]:
    """Return the names in a table by which each image may be meant.

    Suffixes may be left out, and folders on the left: of the images in the table, or of the table's
    in the images. A whole name comes before a part of one.
    """
    whole: dict[str, list[str]] = defaultdict(list)
    tails: dict[str, list[str]] = defaultdict(list)
    for name in table:
        key = name.casefold().replace("\\", "/")
        whole[key].append(name)
        for tail in _tails(key):
            tails[tail].append(name)
    rows: dict[str, list[str]] = {}
    for image_id in ids:
        path = PurePosixPath(image_id.casefold())
        keys = (path.as_posix(), path.with_suffix("").as_posix())
        own = [name for key in keys for name in whole.get(key, ())]
        if not own:
            own = [name for key in keys for name in tails.get(key, ())]
            own += [name for key in keys for tail in _tails(key) for name in whole.get(tail, ())]
        rows[image_id] = list(dict.fromkeys(own))
    return rows


def _tails(key: str) -> list[str]:
    """Return ``b/c`` and ``c`` of ``a/b/c``."""
    parts = key.split("/")
    return ["/".join(parts[n:]) for n in range(1, len(parts))]


def _describe_count(names: Sequence[str], among: Sequence[str]) -> str:
    return f"{len(names)} of {len(among)} images: {_list_names(names)}"


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def get_image_facts(
    image_ids: Iterable[str], table: Mapping[str, ImageFacts]
) -> dict[str, ImageFacts]:
    """Return the facts of those images that the table names, with or without folder and suffix."""
    bare = {PurePosixPath(name).name.casefold(): facts for name, facts in table.items()}
    if len(bare) < len(table):  # a file's name alone is ambiguous
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


def find_groups_by_pattern(image_ids: Iterable[str], pattern: str) -> dict[str, str]:
    """Return the group of each image whose name matches ``pattern``.

    The group is what the first parentheses enclose, or the whole match. ConfigError if the
    pattern is not a regular expression or matches nothing.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"group pattern {pattern!r} is not a regular expression: {error}"
        ) from error
    matches = ((image_id, compiled.search(image_id)) for image_id in image_ids)
    groups = {i: match[1] if compiled.groups else match[0] for i, match in matches if match}
    if not groups:
        raise ConfigError(f"group pattern {pattern!r} matches no image name; try it on one of them")
    return {image_id: group for image_id, group in groups.items() if group}


def describe_unmatched_images(
    image_ids: Iterable[str], groups: Mapping[str, str]
) -> tuple[str, ...]:
    """Return a message about images whose names a pattern of groups did not match."""
    ids = list(image_ids)
    without = [image_id for image_id in ids if image_id not in groups]
    if not without:
        return ()
    return (
        f"the group pattern does not match {_describe_count(without, ids)}; each counts as a "
        "patient of its own",
    )
