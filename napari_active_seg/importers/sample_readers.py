"""Labels of one piece of an exported data set, whatever the format, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError, MissingExtraError
from napari_active_seg.images import TIFF_SUFFIXES, FileBytes, TiffLevel
from napari_active_seg.importers.coco import read_coco
from napari_active_seg.importers.geojson import read_geojson
from napari_active_seg.importers.labelme import read_labelme
from napari_active_seg.importers.masks import read_mask_ids
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.importers.polygon_annotations import OutlinedImages
from napari_active_seg.importers.polygons import Shape
from napari_active_seg.importers.yolo import read_yolo
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["PieceReader", "RasterFile", "Shapes", "ZarrLabels", "shapes_reader"]


class PieceReader(Protocol):
    """Reads windows of one piece; windows are in the piece's own pixels."""

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of the project, 255 where nothing is labelled."""

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects; None where they are not separated."""


class RasterFile:
    """A file of numbers, and perhaps one of object ids; ``table`` maps numbers to classes."""

    def __init__(
        self, label: Path, objects: Path | None, *, table: NDArray[np.uint8], shape: tuple[int, int]
    ) -> None:
        self._label = _Numbers(label, shape)
        self._objects = None if objects is None else _Numbers(objects, shape)
        self._table = table

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window."""
        found: NDArray[np.uint8] = self._table[self._label.read(window)]
        return found

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects in a window."""
        return None if self._objects is None else self._objects.read(window).astype(np.int32)


class InstanceFile:
    """A file of object ids, 0 for none, of two classes."""

    def __init__(self, path: Path, *, table: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        self._ids = _Numbers(path, shape)
        self._table = table

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window."""
        found: NDArray[np.uint8] = self._table[(self._ids.read(window) > 0).astype(np.uint8)]
        return found

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects in a window."""
        return self._ids.read(window).astype(np.int32)


class ZarrLabels:
    """``labels/classes`` and ``labels/objects`` of an OME-Zarr group."""

    def __init__(self, path: Path, *, table: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        self._path = path
        self._table = table
        if self._array("classes").shape != shape:
            raise AnnotationError(f"{path.name} is not as large as its image; export it again")

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window; in the file they count from 1."""
        stored = np.asarray(self._array("classes")[window.slices])
        found: NDArray[np.uint8] = self._table[(stored - 1).astype(np.uint8)]
        return found

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects in a window."""
        if not (self._path / "labels" / "objects").is_dir():
            return None
        return np.asarray(self._array("objects")[window.slices]).astype(np.int32)

    def _array(self, name: str) -> Any:
        try:
            import zarr
        except ImportError as error:
            raise MissingExtraError(
                "OME-Zarr needs the package zarr: pip install 'napari-active-seg[zarr]'"
            ) from error
        try:
            return zarr.open_array(store=str(self._path / "labels" / name / "0"), mode="r")
        except (OSError, ValueError, KeyError) as error:
            raise AnnotationError(f"{self._path.name} holds no labels that can be read") from error


class Shapes:
    """Outlines and run lengths of one piece."""

    def __init__(self, name: str, shapes: Sequence[Shape], *, rest: int) -> None:
        self._name = name
        self._source = OutlinedImages({name: shapes}, rest=rest)

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window."""
        return self._source.read_target(self._own(window))

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects in a window."""
        return self._source.objects(self._own(window))

    def _own(self, window: Region) -> Region:
        return Region(self._name, window.y, window.x, window.height, window.width)


def shapes_reader(
    kind: str,
    path: Path,
    name: str,
    names: ClassNames,
    shape: tuple[int, int],
    *,
    rest: int,
    numbers: Mapping[int, str],
) -> Shapes:
    """Return the reader of a file of outlines; ``kind`` is what the format calls them.

    ``name`` is the piece's name in the file; ``rest`` the class of what no shape holds.
    """
    shapes: Sequence[Shape]
    if kind == "coco":
        found = read_coco(path, names, {name.casefold(): name}, {name: shape})
        if name not in found:
            raise AnnotationError(f"{path.name} does not list {name}")
        shapes = found[name]
    elif kind == "geojson":
        shapes = read_geojson(path, names)
    elif kind == "labelme":
        shapes = read_labelme(path, names, shape)
    else:
        shapes = read_yolo(path, names, numbers, shape)
    return Shapes(name, shapes, rest=rest)


class _Numbers:
    """A picture file of one number a pixel: TIFF by windows, others whole."""

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self._path = path
        self._shape = shape

    def read(self, window: Region) -> NDArray[np.integer]:
        """Return the numbers (h, w) of a window."""
        if self._path.suffix.lower() in TIFF_SUFFIXES:
            raw = self._level.raw(window.y, window.x, *window.shape)
            return raw[..., 0].astype(np.int64)
        return self._whole[window.slices]

    @cached_property
    def _whole(self) -> NDArray[np.integer]:
        return read_mask_ids(self._path, shape=self._shape)

    @cached_property
    def _level(self) -> TiffLevel:
        try:
            with tifffile.TiffFile(self._path) as file:
                page = file.pages.first
                level = TiffLevel(self._path, FileBytes(self._path), (page,))
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise AnnotationError(f"{self._path.name} cannot be read: {error}") from error
        if level.shape != self._shape:
            raise AnnotationError(f"{self._path.name} does not fit {self._shape}; export again")
        return level


def no_table() -> NDArray[np.uint8]:
    """Return a table that knows no number."""
    return np.full(256, UNLABELLED, np.uint8)
