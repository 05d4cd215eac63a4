"""A data set that this program exported: labels with all that was known of their regions."""

from __future__ import annotations

import base64
import binascii
import csv
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError
from napari_active_seg.images import ImageRef
from napari_active_seg.importers.dicom_seg import DicomSegments
from napari_active_seg.importers.json_file import read_json
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.importers.sample_readers import (
    InstanceFile,
    PieceReader,
    RasterFile,
    ZarrLabels,
    no_table,
    shapes_reader,
)
from napari_active_seg.importers.source import Provenance
from napari_active_seg.importers.yolo import yolo_names
from napari_active_seg.regions import UNLABELLED, Effort, Region, RegionShape, RegionState

__all__ = ["ExportedFolder", "is_exported"]

_CARD = "dataset.json"
_OUTLINES = ("coco", "geojson", "labelme", "yolo")
_MOST_SHAPE = 2**26


def is_exported(path: Path) -> bool:
    """Return whether ``path`` is a folder that this program exported."""
    if not path.is_dir() or not (path / _CARD).is_file():
        return False
    raw = read_json(path / _CARD)
    return isinstance(raw, dict) and raw.get("made_by") == "napari-active-seg"


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    name: str
    region: Region  # in the project's image
    files: Mapping[str, str]
    has_instances: bool


class ExportedFolder:
    """An AnnotationSource with the provenance of its regions."""

    def __init__(self, folder: Path, names: ClassNames, images: Mapping[str, str]) -> None:
        """Read the card and the table of regions; ``images`` maps names to the project's ids."""
        raw = read_json(folder / _CARD)
        self._folder = folder
        self._names = names
        try:
            self._format = str(raw["format"])
            self._table = _table(raw["classes"], names, folder.name)
            self._first = names.value(str(raw["classes"][0]["name"]), where=folder.name)
            pieces = [_piece(row, images) for row in raw["pieces"]]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise AnnotationError(f"{folder / _CARD} is damaged: {error!r}") from error
        self._pieces: dict[str, list[_Piece]] = defaultdict(list)
        for piece in pieces:
            if piece is not None:
                self._pieces[piece.region.image_id].append(piece)
        self._facts = _read_facts(folder / "regions.csv", images)
        self._reader = lru_cache(maxsize=4)(self._opened)

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""
        return tuple(dict.fromkeys((*self._pieces, *(part.image_id for part in self._facts))))

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the regions of an image that the table lists."""
        return tuple(part for part in self._facts if part.image_id == image.id)

    def facts(self, part: Region) -> Provenance | None:
        """Return the provenance of a region."""
        return self._facts.get(part)

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        found = np.full(region.shape, UNLABELLED, np.uint8)
        for piece in self._touching(region):
            window, place = _shared(region, piece.region)
            part = self._reader(piece).target(window)
            np.copyto(found[place], part, where=part != UNLABELLED)
        facts = self._facts.get(region)
        if facts is not None and facts.shape is not None:
            found[~facts.shape.mask] = UNLABELLED
        return found

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids (H, W) of objects; None where they were not separated."""
        found = np.zeros(region.shape, np.int32)
        for piece in self._touching(region):
            window, place = _shared(region, piece.region)
            part = self._reader(piece).objects(window) if piece.has_instances else None
            if part is None:
                return None
            np.copyto(found[place], part, where=part > 0)
        return found

    def _touching(self, region: Region) -> list[_Piece]:
        """Return the pieces that overlap a region: the one cut for it first."""
        pieces = self._pieces.get(region.image_id, [])
        own = [piece for piece in pieces if piece.region == region]
        return own or [piece for piece in pieces if piece.region.overlaps(region)]

    def _opened(self, piece: _Piece) -> PieceReader:
        files, shape = piece.files, piece.region.shape
        if "label" in files:
            objects = files.get("objects")
            return RasterFile(
                self._inside(files["label"]),
                None if objects is None else self._inside(objects),
                table=self._table,
                shape=shape,
            )
        if "instances" in files:
            return InstanceFile(self._inside(files["instances"]), table=self._table, shape=shape)
        if "ome-zarr" in files:
            return ZarrLabels(self._inside(files["ome-zarr"]), table=self._table, shape=shape)
        if "dicom-seg" in files:
            return DicomSegments(self._inside(files["dicom-seg"]), self._names, shape=shape)
        kind = next((kind for kind in _OUTLINES if kind in files), None)
        if kind is None:
            raise AnnotationError(
                f"{self._folder.name} was exported as {self._format}, which cannot be read back"
            )
        return shapes_reader(
            kind,
            self._inside(files[kind]),
            files.get("name", piece.name),
            self._names,
            shape,
            rest=UNLABELLED if kind == "geojson" else self._first,
            numbers=yolo_names(self._folder / "data.yaml") if kind == "yolo" else {},
        )

    def _inside(self, name: str) -> Path:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise AnnotationError(f"{_CARD} names {name!r}, which leads outside; do not use it")
        if not path.exists():
            raise AnnotationError(f"{name} is missing from {self._folder}; copy all of the folder")
        return path


def _piece(row: Mapping[str, Any], images: Mapping[str, str]) -> _Piece | None:
    image_id = images.get(str(row["image"]).casefold())
    if image_id is None:
        return None
    region = Region(image_id, *(int(row[key]) for key in ("y", "x", "height", "width")))
    files = {str(kind): str(name) for kind, name in row["files"].items()}
    return _Piece(str(row["name"]), region, files, bool(row.get("objects", False)))


def _table(classes: list[Mapping[str, Any]], names: ClassNames, where: str) -> NDArray[np.uint8]:
    table = no_table()
    for row in classes:
        table[int(row["value"])] = names.value(str(row["name"]), where=where)
    return table


def _shared(region: Region, piece: Region) -> tuple[Region, tuple[slice, slice]]:
    """Return what two share, in the piece's pixels and as an index into the region's."""
    top, left = max(region.y, piece.y), max(region.x, piece.x)
    bottom, right = min(region.bottom, piece.bottom), min(region.right, piece.right)
    window = Region(piece.image_id, top - piece.y, left - piece.x, bottom - top, right - left)
    place = (slice(top - region.y, bottom - region.y), slice(left - region.x, right - region.x))
    return window, place


def _read_facts(path: Path, images: Mapping[str, str]) -> dict[Region, Provenance]:
    found: dict[Region, Provenance] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                image_id = images.get(row["image"].casefold())
                if image_id is None:
                    continue
                part = Region(image_id, *(int(row[k]) for k in ("y", "x", "height", "width")))
                known = _facts_of(row, part)
                before = found.get(part)
                if before is None or known.state is RegionState.DONE:
                    found[part] = known
    except (OSError, KeyError, ValueError, csv.Error, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path} cannot be read: {error}") from error
    return found


def _facts_of(row: Mapping[str, str], part: Region) -> Provenance:
    effort = Effort(
        active_s=float(row["active_s"]),
        idle_s=float(row["idle_s"]),
        strokes=int(row["strokes"]),
        clicks=int(row["clicks"]),
        undos=int(row["undos"]),
        changed_px=int(row["changed_px"]),
        begun=row["begun"],
    )
    return Provenance(
        state=RegionState(row["state"]),
        kind=row["kind"],
        annotator=row["annotator"],
        round=int(row["round"]),
        information=float(row["score"]),
        cost=float(row["expected_s"]),
        reason=row["reason"],
        effort=effort,
        draw_probability=float(row["draw_probability"]) if row["draw_probability"] else None,
        drawn_from=int(row["drawn_from"] or 0),
        shape=_shape_of(row["shape"], part),
    )


def _shape_of(text: str, part: Region) -> RegionShape | None:
    if not text:
        return None
    try:
        bits = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MOST_SHAPE)
    except (binascii.Error, zlib.error) as error:
        raise ValueError("a shape that is damaged") from error
    return RegionShape(part.height, part.width, bits)
