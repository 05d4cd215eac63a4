"""What is handed to every exporter, and how a folder is written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import LabelSchema

__all__ = ["ExportImage", "ExportSet", "Exporter", "RegionRow", "whole_folder"]


@dataclass(frozen=True, slots=True)
class ExportImage:
    """An image with a way to its target (H, W), so that not all lie in memory at once."""

    id: str
    split: str
    target: Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class RegionRow:
    """Where a label came from: one row of the provenance table."""

    region: str
    image: str
    y: int
    x: int
    height: int
    width: int
    state: str
    kind: str
    annotator: str
    round: int
    information: float
    cost_s: float
    active_s: float
    strokes: int
    clicks: int
    reason: str


@dataclass(frozen=True, slots=True)
class ExportSet:
    """A labelled data set, ready to be written."""

    name: str
    schema: LabelSchema
    images: tuple[ExportImage, ...]
    rows: tuple[RegionRow, ...]


class Exporter(Protocol):
    """Writes a data set in one format."""

    @property
    def name(self) -> str:
        """Name that the command line and the desktop use."""

    @property
    def title(self) -> str:
        """What a person reads in a list of formats."""

    def write(
        self, data: ExportSet, out: Path, *, on_image: Callable[[int, int], None]
    ) -> tuple[Path, ...]:
        """Write ``data`` to the new folder ``out`` and return its files."""


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to write to that becomes ``out`` at the end, or vanishes on an error."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"{out} exists and is not empty; nothing was written. Choose another")
    building = out.with_name(f".{out.name}.partial")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True)
        yield building
        if out.exists():
            out.rmdir()
        building.rename(out)
    except OSError as error:
        raise BadInputError(f"{out} could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
