"""Labels as OME-TIFF, written tile by tile: slides of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["OmeTiffLabels"]

_TILE = 512


class OmeTiffLabels:
    """One tiled OME-TIFF per piece, and one of object ids where objects are separated."""

    name = "tiff"
    title = "OME-TIFF labels (slides too)"
    keeps_unlabelled = True
    summary = (
        "`labels/SPLIT/NAME.ome.tif` holds the classes below, 255 where nothing is labelled; "
        "`objects/` the ids of objects (32 bits, 0: background) where they are separated. Pixel "
        "sizes stand in the OME header where the image has them."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write labels and objects, tile by tile."""
        found: dict[str, dict[str, str]] = {}
        for piece, still in iter_pieces(data, on_piece):
            place = f"{piece.split}/{piece.name}"
            files = {"label": _write_labels(piece, folder, f"labels/{place}.ome.tif", still)}
            if piece.has_instances:
                files["objects"] = _write_objects(piece, folder, f"objects/{place}.ome.tif", still)
            if data.with_pictures:
                files["picture"] = save_picture(piece, folder, f"images/{place}.png")
            found[piece.name] = files
        return found


def _write_labels(piece: Sample, folder: StagingDir, name: str, still: Callable[[], None]) -> str:
    tiles = _tiles(piece, lambda window: piece.target(window), np.uint8, UNLABELLED, still)
    return folder.once(name, lambda path: _write(path, piece, tiles, np.uint8))


def _write_objects(piece: Sample, folder: StagingDir, name: str, still: Callable[[], None]) -> str:
    def ids(window: Region) -> NDArray[np.int32]:
        found = piece.objects(window)
        return np.zeros(window.shape, np.int32) if found is None else found

    return folder.once(
        name,
        lambda path: _write(path, piece, _tiles(piece, ids, np.int32, 0, still), np.int32),
    )


def _write(
    path: Path, piece: Sample, tiles: Iterator[NDArray[Any]], dtype: type[np.generic]
) -> None:
    metadata: dict[str, Any] = {"axes": "YX", "Name": piece.name}
    if piece.spacing is not None:
        metadata |= {
            "PhysicalSizeY": piece.spacing[0],
            "PhysicalSizeX": piece.spacing[1],
            "PhysicalSizeYUnit": "µm",
            "PhysicalSizeXUnit": "µm",
        }
    height, width = piece.shape
    with tifffile.TiffWriter(path, ome=True, bigtiff=height * width > 2**31) as file:
        file.write(
            tiles,
            shape=piece.shape,
            dtype=dtype,
            tile=(_TILE, _TILE),
            compression="zlib",
            metadata=metadata,
        )


def _tiles(
    piece: Sample,
    read: Callable[[Region], NDArray[Any]],
    dtype: type[np.generic],
    empty: int,
    still: Callable[[], None],
) -> Iterator[NDArray[Any]]:
    """Yield every tile, row by row; only where labels lie are they read."""
    touched = {(window.y, window.x) for window in piece.labelled_windows(_TILE)}
    blank = np.full((_TILE, _TILE), empty, dtype)
    for window in piece.windows(_TILE):
        if window.x == 0:
            still()
        if (window.y, window.x) not in touched:
            yield blank
            continue
        tile = blank.copy()
        tile[: window.height, : window.width] = read(window)
        yield tile
