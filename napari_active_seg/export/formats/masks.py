"""Index masks: a PNG per piece whose numbers are the classes, and an overlay to view.

255 is "not labelled". Separated objects are numbered in a TIFF next to the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.palette import get_palette
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["IndexMasks", "draw_overlay", "write_mask"]


class IndexMasks:
    """PNG masks under the images' own names."""

    name = "masks"
    title = "Index masks (PNG) and overlays"
    keeps_unlabelled = True
    summary = (
        "`masks/SPLIT/NAME.png` has the size of its image; its numbers are the classes below, 255 "
        "where nothing is labelled, and its palette the classes' colours. `objects/` numbers the "
        "objects (32-bit TIFF, 0: background) where they are separated. `overlays/` is for "
        "viewing: what is not labelled is grey."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write masks, objects and overlays."""
        found: dict[str, dict[str, str]] = {}
        for piece, _ in iter_pieces(data, on_piece):
            place = f"{piece.split}/{piece.name}"
            files = {"label": write_mask(piece, folder, f"masks/{place}.png", data.schema)}
            objects = piece.objects()
            if objects is not None:
                files["objects"] = _write_objects(objects, folder, f"objects/{place}.tif")
            files["overlay"] = _write_overlay(piece, data.schema, folder, f"overlays/{place}.png")
            if data.with_pictures:
                files["picture"] = save_picture(piece, folder, f"images/{place}.png")
            found[piece.name] = files
        return found


def write_mask(piece: Sample, folder: StagingDir, name: str, schema: LabelSchema) -> str:
    """Write the classes of a piece as a PNG with a palette and return its name."""

    def write(path: Path) -> None:
        picture = Image.fromarray(piece.target())
        picture.putpalette(get_palette(schema))
        picture.save(path, "PNG")

    return folder.once(name, write)


def draw_overlay(
    pixels: NDArray[np.uint8], target: NDArray[np.uint8], schema: LabelSchema
) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) under its labels: grey and paler where there are none."""
    colours = np.asarray(get_palette(schema), np.float32).reshape(256, 3)[target]
    grey = pixels.mean(axis=2, keepdims=True, dtype=np.float32) * 0.5 + 120
    mixed = np.where((target == UNLABELLED)[..., None], grey, pixels * 0.6 + colours * 0.4)
    return mixed.clip(0, 255).astype(np.uint8)


def _write_objects(objects: NDArray[np.int32], folder: StagingDir, name: str) -> str:
    def write(path: Path) -> None:
        tifffile.imwrite(path, objects, compression="zlib")

    return folder.once(name, write)


def _write_overlay(piece: Sample, schema: LabelSchema, folder: StagingDir, name: str) -> str:
    def write(path: Path) -> None:
        Image.fromarray(draw_overlay(piece.pixels(), piece.target(), schema)).save(path, "PNG")

    return folder.once(name, write)
