"""Labelme: a JSON next to each picture, objects as masks, so that no pixel is lost."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import ExportSet, Sample, find_class_without_objects
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED, LabelSchema
from napari_active_seg.regions.polygonize import PixelArea, find_areas

__all__ = ["Labelme"]

#: Labelme's own word for pixels that nothing is known of.
_UNKNOWN = "__ignore__"


class Labelme:
    """``SPLIT/NAME.json`` next to ``SPLIT/NAME.png``."""

    name = "labelme"
    title = "Labelme (JSON with masks)"
    keeps_unlabelled = True
    summary = (
        "`SPLIT/NAME.json` next to its picture, with a shape of type mask for each object or "
        f"connected area (Labelme 5.2 and later). What is not labelled is `{_UNKNOWN}`."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write a picture and its shapes for each piece."""
        found: dict[str, dict[str, str]] = {}
        for piece, _ in iter_pieces(data, on_piece):
            place = f"{piece.split}/{piece.name}"
            picture = save_picture(piece, folder, f"{place}.png")
            facts: dict[str, object] = {
                "version": "5.5.0",
                "flags": {},
                "shapes": list(_shapes(piece, data.schema)),
                "imagePath": picture.rpartition("/")[2],
                "imageData": None,
                "imageHeight": piece.shape[0],
                "imageWidth": piece.shape[1],
            }
            text = json.dumps(facts, ensure_ascii=False, indent=1)
            found[piece.name] = {
                "picture": picture,
                "labelme": folder.text(f"{place}.json", text),
            }
        return found


def _shapes(piece: Sample, schema: LabelSchema) -> Iterator[dict[str, Any]]:
    target, objects = piece.target(), piece.objects()
    names = dict(enumerate(schema.names)) | {UNLABELLED: _UNKNOWN}
    names.pop(find_class_without_objects(schema), None)  # type: ignore[arg-type]
    for value, name in names.items():
        known = objects if value != UNLABELLED else None
        for area in find_areas(target == value, known):
            yield _shape(area, name)


def _shape(area: PixelArea, name: str) -> dict[str, Any]:
    height, width = area.mask.shape
    buffer = io.BytesIO()
    Image.fromarray(area.mask.astype(np.uint8)).save(buffer, "PNG")
    return {
        "label": name,
        "points": [[area.x, area.y], [area.x + width - 1, area.y + height - 1]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }
