"""nnU-Net v2's raw data set, with its ``ignore`` label for what is not labelled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from napari_active_seg.errors import ConfigError
from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.filenames import make_flat_names
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["NnUNet"]

_IGNORE = "ignore"


class NnUNet:
    """``Dataset501_NAME`` as nnU-Net v2 finds it below ``nnUNet_raw``."""

    name = "nnunet"
    title = "nnU-Net v2 raw data set"
    keeps_unlabelled = True
    summary = (
        "`Dataset501_NAME` goes into `nnUNet_raw`; give it another number if 501 is taken. What is "
        "not labelled is nnU-Net's `ignore` label, the highest number. Pool and validation images "
        "are both in `imagesTr`; `splits_final.json` keeps them apart as one fold: copy it to "
        "`nnUNet_preprocessed/Dataset501_NAME` after planning. Test images are in `imagesTs` and "
        "`labelsTs`."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write pictures, labels, ``dataset.json`` and the split."""
        if _IGNORE in data.schema.names:
            raise ConfigError(
                f"nnU-Net keeps the name {_IGNORE!r} for what is not labelled; rename the class"
            )
        stem = "".join(c for c in data.name.title() if c.isascii() and c.isalnum()) or "ActiveSeg"
        top = f"Dataset501_{stem}"
        names = make_flat_names(data.pieces)
        found: dict[str, dict[str, str]] = {}
        for piece, _ in iter_pieces(data, on_piece):
            part = "Ts" if piece.split == "audit" else "Tr"
            name = names[piece.name]
            found[piece.name] = {
                "picture": save_picture(piece, folder, f"{top}/images{part}/{name}_0000.png"),
                "label": _write_label(piece, folder, f"{top}/labels{part}/{name}.png", data.schema),
            }
        training = [piece for piece in data.pieces if piece.split != "audit"]
        folder.text(f"{top}/dataset.json", json.dumps(_facts(data, len(training)), indent=1))
        own = {
            word: [names[piece.name] for piece in data.of_split(split)]
            for word, split in (("train", "pool"), ("val", "validation"))
        }
        if own["train"] and own["val"]:
            folder.text(f"{top}/splits_final.json", json.dumps([own], indent=1))
        return found


def _facts(data: ExportSet, n_training: int) -> dict[str, object]:
    labels = {name: value for value, name in enumerate(data.schema.names)}
    if data.schema.names[0] != "background":  # nnU-Net needs 0 under this name
        labels = {"background": 0} | {n: v for n, v in labels.items() if v}
    return {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": labels | {_IGNORE: len(data.schema)},
        "numTraining": n_training,
        "file_ending": ".png",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
        "name": data.name,
        "licence": data.terms,
    }


def _write_label(piece: Sample, folder: StagingDir, name: str, schema: LabelSchema) -> str:
    def write(path: Path) -> None:
        target = piece.target()
        Image.fromarray(np.where(target == UNLABELLED, len(schema), target).astype(np.uint8)).save(
            path, "PNG"
        )

    return folder.once(name, write)
