"""Folders of labels in the layouts of other tools: nnU-Net, MONAI, Labelme, YOLO, OME-Zarr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError
from napari_active_seg.images import ImageRef
from napari_active_seg.importers.json_file import read_json
from napari_active_seg.importers.labelme import is_labelme, read_labelme
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.importers.polygon_annotations import OutlinedImages
from napari_active_seg.importers.polygons import Shape
from napari_active_seg.importers.sample_readers import PieceReader, RasterFile, no_table
from napari_active_seg.importers.source import AnnotationSource
from napari_active_seg.importers.yolo import read_yolo, yolo_names
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["open_other_layout"]

#: Values and names of the first class that nnU-Net and MONAI use for it.
_FIRST = "background"
_IGNORE = "ignore"


class ReadImages:
    """An AnnotationSource of one reader for each image, opened when first needed."""

    def __init__(self, readers: Mapping[str, Callable[[], PieceReader]]) -> None:
        self._readers = dict(readers)
        self._opened: tuple[str, PieceReader] | None = None

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""
        return tuple(self._readers)

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the one region that covers the image."""
        return (Region.whole(image.id, image.shape),)

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        return self._reader(region.image_id).target(region)

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids (H, W) of objects; None where they are not separated."""
        return self._reader(region.image_id).objects(region)

    def _reader(self, image_id: str) -> PieceReader:
        if self._opened is None or self._opened[0] != image_id:
            self._opened = (image_id, self._readers[image_id]())
        return self._opened[1]


def open_other_layout(
    folder: Path,
    images: tuple[ImageRef, ...],
    names: ClassNames,
    by_name: Mapping[str, str],
    *,
    rest: int | None,
) -> AnnotationSource | None:
    """Return the labels in ``folder`` if it is of a layout that another tool writes, else None.

    ``by_name`` maps the names that a file may use to image ids; ``rest`` is the class of what no
    outline holds (None: the first).
    """
    shapes = {ref.id: ref.shape for ref in images}
    rest_class = 0 if rest is None else rest
    if (folder / "datalist.json").is_file():
        return _monai(folder, names, by_name, shapes)
    for card in (folder / "dataset.json", *sorted(folder.glob("Dataset*/dataset.json"))):
        if card.is_file() and (card.parent / "labelsTr").is_dir():
            return _nnunet(card, names, by_name, shapes)
    if (folder / "data.yaml").is_file():
        return _yolo(folder, names, by_name, shapes, rest_class)
    labelme = dict(_labelme_files(folder, by_name))
    if labelme:
        found = {i: read_labelme(path, names, shapes[i]) for i, path in labelme.items()}
        return OutlinedImages.checked(found, shapes, where=folder.name, rest=rest_class)
    return None


def _nnunet(
    card: Path,
    names: ClassNames,
    by_name: Mapping[str, str],
    shapes: Mapping[str, tuple[int, int]],
) -> AnnotationSource:
    raw = read_json(card)
    labels = raw.get("labels") if isinstance(raw, dict) else None
    ending = str(raw.get("file_ending", "")) if isinstance(raw, dict) else ""
    if not isinstance(labels, dict) or not all(isinstance(v, int) for v in labels.values()):
        raise AnnotationError(f"{card} names no labels by one number each; regions are not read")
    if ending.lower() not in (".png", ".bmp", ".tif", ".tiff"):
        raise AnnotationError(f"{card} is about {ending} files; pictures are read: .png, .tif")
    table = _table({value: name for name, value in labels.items()}, names, where=card.name)
    files = [path for part in ("labelsTr", "labelsTs") for path in (card.parent / part).glob("*")]
    return _rasters(files, table, by_name, shapes)


def _monai(
    folder: Path,
    names: ClassNames,
    by_name: Mapping[str, str],
    shapes: Mapping[str, tuple[int, int]],
) -> AnnotationSource:
    raw = read_json(folder / "datalist.json")
    sections = [raw.get(key, []) for key in ("training", "validation", "test")]
    rows = [row for section in sections for row in section if isinstance(row, dict)]
    labels = raw.get("labels", {})
    known = {int(value): str(name) for value, name in labels.items() if str(value).isdigit()}
    table = _table(known, names, where="datalist.json")
    readers: dict[str, Callable[[], PieceReader]] = {}
    for row in rows:
        if "label" not in row or "image" not in row:
            continue
        image_id = _meant(str(row["image"]), by_name)
        path = (folder / str(row["label"])).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise AnnotationError(f"datalist.json names {row['label']!r}, which leads outside")
        if image_id is not None:
            readers[image_id] = _raster(path, table, shapes[image_id])
    return ReadImages(readers)


def _yolo(
    folder: Path,
    names: ClassNames,
    by_name: Mapping[str, str],
    shapes: Mapping[str, tuple[int, int]],
    rest: int,
) -> AnnotationSource:
    numbers = yolo_names(folder / "data.yaml")
    found: dict[str, tuple[Shape, ...]] = {}
    for path in sorted((folder / "labels").rglob("*.txt")):
        image_id = _meant(path.relative_to(folder / "labels").as_posix(), by_name)
        if image_id is not None:
            found[image_id] = tuple(read_yolo(path, names, numbers, shapes[image_id]))
    return OutlinedImages.checked(found, shapes, where=folder.name, rest=rest)


def _labelme_files(folder: Path, by_name: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.json")):
        image_id = _meant(path.relative_to(folder).as_posix(), by_name)
        if image_id is not None and is_labelme(read_json(path)):
            yield image_id, path


def _rasters(
    files: list[Path],
    table: NDArray[np.uint8],
    by_name: Mapping[str, str],
    shapes: Mapping[str, tuple[int, int]],
) -> ReadImages:
    named = {path: _meant(path.name, by_name) for path in sorted(files)}
    return ReadImages(
        {i: _raster(path, table, shapes[i]) for path, i in named.items() if i is not None}
    )


def _raster(
    path: Path, table: NDArray[np.uint8], shape: tuple[int, int]
) -> Callable[[], PieceReader]:
    return lambda: RasterFile(path, None, table=table, shape=shape)


def _meant(name: str, by_name: Mapping[str, str]) -> str | None:
    """Return the image that a file is about, by its path, its name, or either without suffix."""
    path = PurePosixPath(name.replace("\\", "/"))
    bare = path.with_suffix("")
    for word in (path.as_posix(), bare.as_posix(), path.name, bare.name):
        if word.casefold() in by_name:
            return by_name[word.casefold()]
    return None


def _table(known: Mapping[int, str], names: ClassNames, *, where: str) -> NDArray[np.uint8]:
    """Return the class of each number; nnU-Net's name for the first class means our first."""
    table = no_table()
    own = {name.casefold() for name in names.schema.names}
    for value, name in known.items():
        if name == _IGNORE:
            continue
        if not 0 <= value < UNLABELLED:
            raise AnnotationError(f"{where} gives {name!r} the number {value}; want 0 to 254")
        stands_first = value == 0 and name == _FIRST and _FIRST not in own
        table[value] = 0 if stands_first else names.value(name, where=where)
    return table
