"""The interface of export formats, and functions that they share."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

from PIL import Image

from napari_active_seg.errors import MissingExtraError
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED

__all__ = [
    "Exporter",
    "OnPiece",
    "PieceFiles",
    "is_labelled_throughout",
    "iter_pieces",
    "needs_package",
    "save_picture",
]

#: Called before each piece with its number, how many there are, and its name; may raise to stop.
OnPiece = Callable[[int, int, str], None]
#: Which files hold a piece, by what they are ("label", "objects", "picture").
PieceFiles = Mapping[str, str]


class Exporter(Protocol):
    """Writes a data set in one format."""

    @property
    def name(self) -> str:
        """Name that the command line and the desktop use."""

    @property
    def title(self) -> str:
        """What a person reads in a list of formats."""

    @property
    def summary(self) -> str:
        """What lies where, for the README of the data set."""

    @property
    def keeps_unlabelled(self) -> bool:
        """Whether the format can store that a pixel is not labelled."""

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write ``data`` and return the files of each piece, by its name."""


def iter_pieces(data: ExportSet, on_piece: OnPiece) -> Iterator[tuple[Sample, Callable[[], None]]]:
    """Yield each piece after calling ``on_piece``, with a function that calls it again.

    Either call may raise to stop the export.
    """
    for number, piece in enumerate(data.pieces):
        still = partial(on_piece, number, len(data.pieces), piece.name)
        still()
        yield piece, still


def needs_package(package: str, *, for_format: str) -> None:
    """Raise MissingExtraError unless the package that writes a format is installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(
            f"{for_format} needs the package {package}: pip install 'napari-active-seg[export]'"
        )


def save_picture(piece: Sample, folder: StagingDir, name: str) -> str:
    """Write the picture of a piece as PNG and return its name."""
    return folder.once(name, lambda path: Image.fromarray(piece.pixels()).save(path, "PNG"))


def is_labelled_throughout(piece: Sample) -> bool:
    """Return whether no pixel of a piece is left without a label."""
    return piece.fill is not None or not bool((piece.target() == UNLABELLED).any())
