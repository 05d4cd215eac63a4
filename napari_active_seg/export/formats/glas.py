"""The layout of GlaS: ``train_1.bmp`` with ``train_1_anno.bmp`` and ``Grade.csv``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_active_seg.errors import ConfigError
from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.export.tables import write_csv

__all__ = ["GlasFolder"]

_PREFIXES = {"pool": "train", "validation": "testA", "audit": "testB"}


class GlasFolder:
    """Two classes, objects numbered in 8-bit bitmaps."""

    name = "glas"
    title = "GlaS layout (BMP, objects)"
    keeps_unlabelled = False
    summary = (
        "The layout of the GlaS contest: `train_1.bmp` and `train_1_anno.bmp`, whose numbers are "
        "objects (0: background); the pool is train, validation testA, test testB. `Grade.csv` "
        "lists the image and the patient of each. The layout cannot store unlabelled pixels: only "
        "pieces that are labelled throughout are here."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write pictures, objects and the table."""
        if len(data.schema) != 2:
            raise ConfigError(
                f"the GlaS layout has two classes, this project {len(data.schema)}; "
                "use another format, such as coco"
            )
        found: dict[str, dict[str, str]] = {}
        counts: dict[str, int] = {}
        rows: list[tuple[object, ...]] = []
        for piece, _ in iter_pieces(data, on_piece):
            prefix = _PREFIXES[piece.split]
            counts[prefix] = counts.get(prefix, 0) + 1
            name = f"{prefix}_{counts[prefix]}"
            found[piece.name] = {
                "picture": folder.once(f"{name}.bmp", _picture_writer(piece)),
                "instances": folder.once(f"{name}_anno.bmp", _objects_writer(piece)),
            }
            rows.append((name, piece.group or "", "", "", piece.name))
        head = ("name", "patient ID", "grade (GlaS)", "grade (Sirinukunwattana et al. 2015)")
        folder.once("Grade.csv", lambda path: write_csv(path, (*head, "piece"), rows))
        return found


def _picture_writer(piece: Sample) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(piece.pixels()).save(path, "BMP")


def _objects_writer(piece: Sample) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        objects = piece.objects()
        inside = piece.target() == 1
        if objects is None:
            objects = np.zeros(inside.shape, np.int32)
        alone = ndimage.label(inside & (objects == 0))[0]  # what no object holds, area by area
        ids = np.where(alone > 0, alone + objects.max(), objects)
        _, numbers = np.unique(np.where(inside, ids, 0), return_inverse=True)
        numbers = numbers.reshape(inside.shape)
        if not (~inside).any():
            numbers = numbers + 1
        if numbers.max() > 255:
            raise ConfigError(
                f"{piece.name} has {numbers.max()} objects; the GlaS layout holds 255 in a picture"
            )
        Image.fromarray(numbers.astype(np.uint8)).save(path, "BMP")

    return write
