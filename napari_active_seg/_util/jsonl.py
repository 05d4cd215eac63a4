"""Files of which each line is one JSON value, and which only grow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_active_seg.errors import BadInputError

__all__ = ["add_line", "read_lines", "read_lines_by_key"]


def add_line(path: Path, facts: Mapping[str, Any]) -> None:
    """Write a line behind those of a file; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _forget_half_a_line(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file, none where it is not there.

    Half a line at its end, which a kill left behind, does not count; BadInputError for another.
    """
    if not path.is_file():
        return []
    whole = path.read_text(encoding="utf-8")
    found = []
    for number, line in enumerate(whole[: whole.rfind("\n") + 1].splitlines(), 1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise BadInputError(f"{path}: line {number} cannot be read: {error}") from error
    return found


def read_lines_by_key(path: Path, key: str) -> dict[Any, dict[str, Any]]:
    """Return the lines of a file by one of their values; of several the last counts."""
    return {facts[key]: facts for facts in read_lines(path)}


def _forget_half_a_line(path: Path) -> None:
    if path.is_file():
        whole = path.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        if kept != whole:
            path.write_bytes(kept)
