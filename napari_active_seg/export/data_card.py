"""The data card: what a data set is, counted, for a person and for a program."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_active_seg._version import __version__
from napari_active_seg.export.dataset import ExportSet
from napari_active_seg.export.staging import MAKER
from napari_active_seg.regions import UNLABELLED

__all__ = ["CHECKSUMS", "as_json", "card_facts", "count_pixels", "describe_card", "write_checksums"]

CHECKSUMS = "checksums.sha256"
_SIDE = 4096


def count_pixels(data: ExportSet) -> list[int]:
    """Return how many pixels each class has over all pieces; the last number is "not labelled"."""
    counts = np.zeros(256, np.int64)
    for piece in data.pieces:
        seen = 0
        for window in piece.labelled_windows(_SIDE):
            counts += np.bincount(piece.target(window).ravel(), minlength=256)
            seen += window.area
        counts[UNLABELLED] += piece.region.area - seen
    return [*counts[: len(data.schema)].tolist(), int(counts[UNLABELLED])]


def card_facts(
    data: ExportSet,
    *,
    format_name: str,
    files: Mapping[str, Mapping[str, str]],
    pixels: list[int],
) -> dict[str, Any]:
    """Return the content of ``dataset.json``; ``files`` are those of each piece, by its name."""
    labelled = sum(pixels[:-1])
    return {
        "made_by": MAKER,
        "version": __version__,
        "layout": 1,
        "name": data.name,
        "format": format_name,
        "terms": data.terms,
        "classes": [
            {
                "value": value,
                "name": name,
                "colour": colour,
                "pixels": pixels[value],
                "share_of_labelled": pixels[value] / labelled if labelled else None,
            }
            for value, (name, colour) in enumerate(
                zip(data.schema.names, data.schema.colours, strict=True)
            )
        ],
        "not_labelled": {"value": UNLABELLED, "pixels": pixels[-1]},
        "counts": {
            "pieces": len(data.pieces),
            "images": len({piece.region.image_id for piece in data.pieces}),
            "regions": len(data.rows),
            "image_classes": dict(
                sorted(Counter(row.image_class for row in data.image_rows).items())
            ),
            "by_split": dict(sorted(Counter(piece.split for piece in data.pieces).items())),
            "by_state": dict(sorted(Counter(row.state for row in data.rows).items())),
        },
        "request": dict(data.request),
        "pieces": [
            {
                "name": piece.name,
                "image": piece.region.image_id,
                "y": piece.region.y,
                "x": piece.region.x,
                "height": piece.region.height,
                "width": piece.region.width,
                "split": piece.split,
                "group": piece.group,
                "micrometres_per_pixel": piece.spacing,
                "objects": piece.has_instances,
                "files": dict(files.get(piece.name, {})),
            }
            for piece in data.pieces
        ],
    }


def describe_card(facts: Mapping[str, Any], *, format_words: str, notes: tuple[str, ...]) -> str:
    """Return ``README.md``: the same in words."""
    lines = [f"# {facts['name']}", "", format_words, ""]
    counts = facts["counts"]
    parts = ", ".join(f"{count} in {split}" for split, count in counts["by_split"].items())
    lines += [
        f"{counts['pieces']} pieces of {counts['images']} images ({parts}); "
        f"{counts['regions']} regions in `regions.csv`, with who labelled each, when, why it was "
        "chosen, by which model, and what it took.",
        "",
        "| value | class | pixels | share of what is labelled |",
        "|---|---|---|---|",
    ]
    named = counts["image_classes"]
    if named:
        of_each = ", ".join(f"{count} {name}" for name, count in named.items())
        lines[-3:-3] = [f"Classes of whole images in `image_classes.csv`: {of_each}.", ""]
    for row in facts["classes"]:
        share = "" if row["share_of_labelled"] is None else f"{row['share_of_labelled']:.2%}"
        lines.append(f"| {row['value']} | {row['name']} | {row['pixels']:,} | {share} |")
    lines.append(f"| {UNLABELLED} | not labelled | {facts['not_labelled']['pixels']:,} | |")
    lines += ["", "Not labelled means that nothing is known there; it is not background.", ""]
    lines += [f"- {note}" for note in notes]
    lines += ["", f"Terms: {facts['terms'] or 'none were given; contact whoever gave you this.'}"]
    lines += [
        "",
        f"`{CHECKSUMS}` holds the SHA-256 of every file (`sha256sum -c {CHECKSUMS}`), "
        "`dataset.json` the same facts for a program. Research use; not a diagnosis.",
        "",
    ]
    return "\n".join(lines)


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of every file below ``folder``, in the form that sha256sum checks."""
    lines = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != CHECKSUMS and not name.startswith("."):
            lines.append(f"{_digest(path)}  {name}\n")
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def as_json(facts: Mapping[str, Any]) -> str:
    """Return the facts as text of JSON that a person can read too."""
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
