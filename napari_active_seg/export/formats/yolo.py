"""YOLO segmentation: a text file of polygons per picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import yaml
from numpy.typing import NDArray

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import (
    SPLIT_WORDS,
    ExportSet,
    Sample,
    find_class_without_objects,
)
from napari_active_seg.export.filenames import make_flat_names
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import LabelSchema
from napari_active_seg.regions.polygonize import find_areas

__all__ = ["YoloSegmentation"]


class YoloSegmentation:
    """``images/SPLIT``, ``labels/SPLIT`` and ``data.yaml``."""

    name = "yolo"
    title = "YOLO segmentation (polygons)"
    keeps_unlabelled = False
    summary = (
        "`data.yaml` names the classes; `labels/SPLIT/NAME.txt` holds a line for each object or "
        "connected area: its class and the corners of its outline as shares of width and height. "
        "Outlines follow the pixels' edges; a cut without width joins a hole to the outline. "
        "YOLO cannot store unlabelled pixels: only pieces that are labelled throughout "
        "are here."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write pictures, lines and ``data.yaml``."""
        names = make_flat_names(data.pieces)
        numbers = _numbers(data.schema)
        found: dict[str, dict[str, str]] = {}
        for piece, _ in iter_pieces(data, on_piece):
            place = f"{SPLIT_WORDS[piece.split]}/{names[piece.name]}"
            lines = "".join(_lines(piece, numbers))
            found[piece.name] = {
                "picture": save_picture(piece, folder, f"images/{place}.png"),
                "yolo": folder.text(f"labels/{place}.txt", lines),
            }
        splits = {SPLIT_WORDS[piece.split] for piece in data.pieces}
        facts: dict[str, object] = {"path": "."}
        facts |= {split: f"images/{split}" for split in ("train", "val", "test") if split in splits}
        facts["names"] = {number: data.schema.names[value] for value, number in numbers.items()}
        folder.text("data.yaml", yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))
        return found


def _numbers(schema: LabelSchema) -> dict[int, int]:
    """Return YOLO's number of each class that has objects."""
    kept = [value for value in range(len(schema)) if value != find_class_without_objects(schema)]
    return {value: number for number, value in enumerate(kept)}


def _lines(piece: Sample, numbers: Mapping[int, int]) -> Iterator[str]:
    target, objects = piece.target(), piece.objects()
    size = np.array([piece.shape[1], piece.shape[0]], float)
    for value, number in numbers.items():
        for area in find_areas(target == value, objects):
            corners = _one_ring(area.rings()) / size
            yield f"{number} " + " ".join(f"{share:.8g}" for share in corners.ravel()) + "\n"


def _one_ring(rings: tuple[NDArray[np.int64], ...]) -> NDArray[np.int64]:
    """Return one walk around an area and its holes, with a cut to each hole and back."""
    outer, *holes = rings
    walk = outer
    for hole in holes:
        apart = np.abs(walk[:, None] - hole[None]).sum(axis=2)
        here, there = np.unravel_index(int(apart.argmin()), apart.shape)
        around = np.concatenate([hole[there:], hole[: there + 1]])
        walk = np.concatenate([walk[: here + 1], around, walk[here:]])
    return walk
