"""Which colour is which class, in masks that are painted in colours."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError, did_you_mean
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["ColourTable", "get_colour_table", "read_colour_table"]

_IGNORED_NAMES = frozenset({"", "ignore", "ignored", "unlabelled", "unlabeled", "void", "none"})


@dataclass(frozen=True, slots=True)
class ColourTable:
    """Pairs of a colour (24 bits) and the class that it stands for, 255 for not labelled."""

    entries: tuple[tuple[int, int], ...]

    def to_target(self, pixels: NDArray[np.integer], *, name: str) -> NDArray[np.uint8]:
        """Return the target (H, W) of colours (H, W, 3); ImageError names a colour not in it."""
        codes = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
        found, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
        known = dict(self.entries)
        strange = [(int(n), int(c)) for c, n in zip(found, counts, strict=True) if c not in known]
        if strange:
            count, code = max(strange)
            raise ImageError(
                f"mask {name} has {len(strange)} colour(s) that the table does not know, such as "
                f"#{code:06x} in {count:,} pixels; add them, or export the mask without smoothing"
            )
        values = np.array([known[int(code)] for code in found], np.uint8)
        return values[places].reshape(codes.shape)


def get_colour_table(schema: LabelSchema) -> ColourTable:
    """Return the table of a project's own colours."""
    return ColourTable(tuple((int(c[1:], 16), k) for k, c in enumerate(schema.colours)))


def read_colour_table(path: Path, schema: LabelSchema) -> ColourTable:
    """Return the table in ``path``: CSV with name and colour (or r, g, b), or JSON.

    Names are those of the project's classes; ``ignore`` and the like stand for not labelled.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        pairs = _from_json(text) if path.suffix.lower() == ".json" else _from_csv(text)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise ImageError(
            f"{path} is not a colour table: want a CSV with the columns name,colour (#rrggbb) or "
            f"name,r,g,b, or a JSON object of names and colours ({error})"
        ) from error
    folded = {name.casefold(): k for k, name in enumerate(schema.names)}
    entries: list[tuple[int, int]] = []
    for name, colour in pairs:
        key = name.strip().casefold()
        if key not in folded and key not in _IGNORED_NAMES:
            raise ImageError(f"{path}: no class {name!r}: {did_you_mean(name, schema.names)}")
        entries.append((colour, folded.get(key, UNLABELLED)))
    return ColourTable(tuple(entries))


def _from_json(text: str) -> list[tuple[str, int]]:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("the file holds no object")
    return [(str(name), _colour(value)) for name, value in raw.items()]


def _from_csv(text: str) -> list[tuple[str, int]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise ValueError("the file holds no rows")
    pairs: list[tuple[str, int]] = []
    for raw in rows:
        row = {str(key).strip().casefold(): value for key, value in raw.items()}
        colour = row.get("colour") or row.get("color")
        pairs.append(
            (row["name"], _colour(colour if colour else [int(row[channel]) for channel in "rgb"]))
        )
    return pairs


def _colour(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value.strip()):
        return int(value.strip()[1:], 16)
    if isinstance(value, list) and len(value) == 3 and all(0 <= int(v) <= 255 for v in value):
        red, green, blue = (int(v) for v in value)
        return (red << 16) | (green << 8) | blue
    raise ValueError(f"{value!r} is not a colour of the form #rrggbb or r, g, b")
