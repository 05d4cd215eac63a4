"""A MONAI datalist: pictures, index masks, and a JSON that lists them by split."""

from __future__ import annotations

import json
from collections.abc import Mapping

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import ExportSet
from napari_active_seg.export.formats.masks import write_mask
from napari_active_seg.export.staging import StagingDir

__all__ = ["MonaiDatalist"]

_SECTIONS = {"pool": "training", "validation": "validation", "audit": "test"}


class MonaiDatalist:
    """``datalist.json`` as ``monai.data.load_decathlon_datalist`` reads it."""

    name = "monai"
    title = "MONAI datalist"
    keeps_unlabelled = True
    summary = (
        "`datalist.json` lists pictures and labels as `training`, `validation` and `test` for "
        "`monai.data.load_decathlon_datalist`. Labels hold the classes below, 255 where nothing is "
        "labelled: give it to the loss as `ignore_index`, or mask it."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write pictures, labels and the list."""
        found: dict[str, dict[str, str]] = {}
        sections: dict[str, list[dict[str, object]]] = {name: [] for name in _SECTIONS.values()}
        for piece, _ in iter_pieces(data, on_piece):
            place = f"{piece.split}/{piece.name}.png"
            files = {
                "picture": save_picture(piece, folder, f"images/{place}"),
                "label": write_mask(piece, folder, f"labels/{place}", data.schema),
            }
            row: dict[str, object] = {"image": files["picture"], "label": files["label"]}
            if piece.group is not None:
                row["group"] = piece.group
            sections[_SECTIONS[piece.split]].append(row)
            found[piece.name] = files
        facts = {
            "name": data.name,
            "licence": data.terms,
            "modality": {"0": "RGB"},
            "labels": {str(value): name for value, name in enumerate(data.schema.names)},
            "ignore_index": 255,
            "numTraining": len(sections["training"]),
            "numTest": len(sections["test"]),
        }
        folder.text("datalist.json", json.dumps(facts | sections, indent=1, ensure_ascii=False))
        return found
