"""A Hugging Face imagefolder: pictures, masks and a line of facts for each."""

from __future__ import annotations

import json
from collections.abc import Mapping

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import SPLIT_WORDS, ExportSet
from napari_active_seg.export.formats.masks import write_mask
from napari_active_seg.export.staging import StagingDir

__all__ = ["ImageFolder"]

_SPLITS = {"train": "train", "val": "validation", "test": "test"}


class ImageFolder:
    """``SPLIT/metadata.jsonl`` with ``file_name`` and ``mask_file_name``."""

    name = "imagefolder"
    title = "Hugging Face imagefolder"
    keeps_unlabelled = True
    summary = (
        "`datasets.load_dataset('imagefolder', data_dir=...)` gives `image` and `mask` for each "
        "piece, with where it is from. Masks hold the classes below, 255 where nothing is labelled."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write pictures, masks and the lines of each split."""
        found: dict[str, dict[str, str]] = {}
        lines: dict[str, list[str]] = {}
        for piece, _ in iter_pieces(data, on_piece):
            split = _SPLITS[SPLIT_WORDS[piece.split]]
            found[piece.name] = {
                "picture": save_picture(piece, folder, f"{split}/images/{piece.name}.png"),
                "label": write_mask(piece, folder, f"{split}/masks/{piece.name}.png", data.schema),
            }
            row = {
                "file_name": f"images/{piece.name}.png",
                "mask_file_name": f"masks/{piece.name}.png",
                "source_image": piece.region.image_id,
                "y": piece.region.y,
                "x": piece.region.x,
                "height": piece.region.height,
                "width": piece.region.width,
                "group": piece.group or "",
            }
            lines.setdefault(split, []).append(json.dumps(row, ensure_ascii=False) + "\n")
        for split, rows in lines.items():
            folder.text(f"{split}/metadata.jsonl", "".join(rows))
        return found
