"""The key of pseudonyms: which file is which image, kept apart from the project.

A project whose images bear pseudonyms holds no file name and no folder name: only this file
does. Without it the project opens, with its labels, but its images are missing until the key is
back or ``relink`` has found them by their fingerprints.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_active_seg.errors import ProjectError

__all__ = ["KeyFile", "draw_pseudonyms"]

_COLUMNS = ("pseudonym", "path")


class KeyFile:
    """A CSV of two columns: pseudonym and path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Path]:
        """Return the path of each pseudonym; nothing if the key is not here."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ProjectError(f"the key {self.path} cannot be read: {error}") from error
        rows = list(csv.reader(io.StringIO(text)))
        if not rows or tuple(rows[0]) != _COLUMNS or any(len(row) != 2 for row in rows):
            raise ProjectError(
                f"{self.path} is not a key of pseudonyms: want the columns {', '.join(_COLUMNS)}"
            )
        return {pseudonym: Path(path) for pseudonym, path in rows[1:]}

    def write(self, paths: Mapping[str, Path]) -> None:
        """Write the key, readable for its owner alone; half a key never bears the name."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((pseudonym, str(path)) for pseudonym, path in sorted(paths.items()))
        building = self.path.with_name(self.path.name + ".new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        building.unlink(missing_ok=True)
        descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        building.replace(self.path)


def draw_pseudonyms(names: list[str], *, prefix: str, seed: int) -> dict[str, str]:
    """Return a pseudonym for each name; their order is independent of that of the names."""
    order = np.random.default_rng((seed, 0x4B)).permutation(len(names))
    width = max(3, len(str(len(names))))
    return {names[k]: f"{prefix}-{number:0{width}d}" for number, k in enumerate(order, 1)}
