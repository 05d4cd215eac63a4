"""Write a data set: the format's own files, then provenance, card and checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, fields, replace
from pathlib import Path

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.export.base import (
    Exporter,
    OnPiece,
    PieceFiles,
    is_labelled_throughout,
)
from napari_active_seg.export.data_card import (
    as_json,
    card_facts,
    count_pixels,
    describe_card,
    write_checksums,
)
from napari_active_seg.export.dataset import ExportSet, ImageRow, Sample
from napari_active_seg.export.staging import build_folder
from napari_active_seg.export.tables import (
    has_parquet,
    write_classes,
    write_csv,
    write_parquet,
    write_regions,
)

__all__ = ["ExportResult", "write_data_set"]


class ExportResult:
    """What was written: how many pieces and regions, which were left out, and the files."""

    def __init__(
        self, out: Path, data: ExportSet, left_out: tuple[str, ...], notes: tuple[str, ...]
    ) -> None:
        self.out = out
        self.pieces = len(data.pieces)
        self.images = len({piece.region.image_id for piece in data.pieces})
        self.regions = len(data.rows)
        self.left_out = left_out
        self.notes = notes

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that lies there."""
        return tuple(sorted(path for path in self.out.rglob("*") if path.is_file()))


def write_data_set(
    data: ExportSet,
    exporter: Exporter,
    out: Path,
    *,
    stamp: str,
    overwrite: bool = False,
    on_piece: OnPiece,
) -> ExportResult:
    """Write ``data`` to the folder ``out``, whole or not at all.

    An interrupted export is resumed if ``stamp`` (which names the
    labels) and all else are the same. A format that cannot store "not labelled" leaves out pieces
    that are not labelled throughout, and a note lists them.
    """
    data, left_out = _fit_for(exporter, data)
    notes = _notes(data, left_out)
    with build_folder(out, request=_name_of(data, exporter, stamp), overwrite=overwrite) as folder:
        files = exporter.write(data, folder, on_piece)
        _write_tables(data, folder.path)
        facts = card_facts(
            data, format_name=exporter.name, files=_sort_rows(files), pixels=count_pixels(data)
        )
        facts["left_out"] = list(left_out)
        (folder.path / "dataset.json").write_text(as_json(facts), encoding="utf-8", newline="\n")
        readme = describe_card(facts, format_words=exporter.summary, notes=notes)
        (folder.path / "README.md").write_text(readme, encoding="utf-8", newline="\n")
        write_checksums(folder.path)
    return ExportResult(out, data, left_out, notes)


def _fit_for(exporter: Exporter, data: ExportSet) -> tuple[ExportSet, tuple[str, ...]]:
    if exporter.keeps_unlabelled:
        return data, ()
    kept: list[Sample] = []
    left_out: list[str] = []
    for piece in data.pieces:
        if is_labelled_throughout(piece):
            kept.append(piece)
        else:
            left_out.append(piece.name)
    if not kept:
        raise NothingToDoError(
            f"{exporter.title} cannot store unlabelled pixels, and no piece is labelled "
            "throughout; choose regions (--as regions), or the class that stands for what is "
            "not labelled (--fill CLASS)"
        )
    return replace(data, pieces=tuple(kept)), tuple(left_out)


def _notes(data: ExportSet, left_out: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    for value in sorted({piece.fill for piece in data.pieces if piece.fill is not None}):
        name = data.schema.names[value]
        notes.append(f"What was not labelled was written as {name}, as requested.")
    if left_out:
        few = ", ".join(left_out[:5]) + (" and others" if len(left_out) > 5 else "")
        notes.append(
            f"{len(left_out)} pieces are left out: they are not labelled throughout, which this "
            f"format cannot store ({few})."
        )
    if not has_parquet():
        notes.append("No Parquet in addition to CSV: the package pyarrow is not installed.")
    return tuple(notes)


def _write_tables(data: ExportSet, folder: Path) -> None:
    write_classes(folder / "classes.csv", data.schema)
    images = {p.region.image_id: (p.region.image_id, p.group or "", p.split) for p in data.pieces}
    write_csv(folder / "images.csv", ("image", "group", "split"), list(images.values()))
    write_regions(folder / "regions.csv", data.rows)
    if data.image_rows:
        names = [field.name for field in fields(ImageRow)]
        write_csv(folder / "image_classes.csv", names, [astuple(row) for row in data.image_rows])
    if has_parquet():
        write_parquet(folder / "regions.parquet", data.rows)


def _name_of(data: ExportSet, exporter: Exporter, stamp: str) -> str:
    """Return a hash that identifies the request."""
    identity = json.dumps(
        [
            exporter.name,
            stamp,
            data.name,
            data.with_pictures,
            data.without_pictures,
            dict(data.request),
            [[piece.name, astuple(piece.region), piece.fill] for piece in data.pieces],
            data.schema.names,
            data.schema.colours,
        ],
        default=str,
    )
    return hashlib.sha256(identity.encode()).hexdigest()


def _sort_rows(files: Mapping[str, PieceFiles]) -> dict[str, dict[str, str]]:
    return {name: dict(sorted(files[name].items())) for name in sorted(files)}
