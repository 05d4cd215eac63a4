"""COCO instance files: polygons and run lengths, plain and compressed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError
from napari_active_seg.importers.json_file import parse_points, read_json
from napari_active_seg.importers.name_matching import ClassNames, bare_name
from napari_active_seg.importers.polygons import Outline, RunLengths, Shape

__all__ = ["is_coco", "read_coco"]


def is_coco(raw: object) -> bool:
    """Return whether parsed JSON is a COCO file."""
    return isinstance(raw, dict) and all(
        isinstance(raw.get(key), list) for key in ("images", "annotations", "categories")
    )


def read_coco(
    path: Path,
    names: ClassNames,
    images: dict[str, str],
    shapes: dict[str, tuple[int, int]],
) -> dict[str, tuple[Shape, ...]]:
    """Return the objects of each image that the project knows, by image id.

    ``images`` maps names to image ids. An image without an object is labelled too: as empty.
    A file name in the file is only compared, never opened.
    """
    raw = read_json(path)
    if not is_coco(raw):
        raise AnnotationError(f"{path.name} is not COCO: want images, annotations, categories")
    categories = {row["id"]: str(row["name"]) for row in _rows(raw["categories"], "id", "name")}
    ids: dict[Any, str] = {}
    for row in _rows(raw["images"], "id", "file_name"):
        name = str(row["file_name"]).casefold()
        image_id = images.get(name) or images.get(bare_name(name))
        if image_id is not None:
            ids[row["id"]] = image_id
            _check_size(row, image_id, shapes[image_id])
    found: dict[str, list[Shape]] = defaultdict(list, {image_id: [] for image_id in ids.values()})
    for row in _rows(raw["annotations"], "image_id", "category_id", "segmentation"):
        if row["image_id"] not in ids:
            continue
        where = f"{path.name}, annotation {row.get('id', '?')}"
        if row["category_id"] not in categories:
            raise AnnotationError(f"{where} is of a category that the file does not list")
        value = names.value(categories[row["category_id"]], where=where)
        image_id = ids[row["image_id"]]
        found[image_id] += _shapes(row["segmentation"], value, shapes[image_id], where)
    return {image_id: tuple(drawn) for image_id, drawn in found.items()}


def _rows(raw: list[Any], *keys: str) -> list[dict[str, Any]]:
    rows = [row for row in raw if isinstance(row, dict) and all(key in row for key in keys)]
    if len(rows) != len(raw):
        raise AnnotationError(f"a COCO entry lacks one of {', '.join(keys)}")
    return rows


def _check_size(row: dict[str, Any], image_id: str, shape: tuple[int, int]) -> None:
    given = (row.get("height", shape[0]), row.get("width", shape[1]))
    if given != shape:
        raise AnnotationError(
            f"the COCO file has {image_id} at {given[0]} x {given[1]} but the image is "
            f"{shape[0]} x {shape[1]}; export it again at the image's size"
        )


def _shapes(raw: Any, value: int, shape: tuple[int, int], where: str) -> list[Shape]:
    if isinstance(raw, list):
        rings = [np.asarray(ring, object).reshape(-1, 2) for ring in raw if len(ring) % 2 == 0]
        if len(rings) != len(raw):
            raise AnnotationError(f"{where}: a polygon has an odd number of coordinates")
        return [
            Outline(value, (parse_points(ring.tolist(), where=where),))
            for ring in rings
            if len(ring)
        ]
    if not isinstance(raw, dict) or "counts" not in raw:
        raise AnnotationError(f"{where} has neither polygons nor run lengths")
    if tuple(raw.get("size", ())) != shape:
        raise AnnotationError(f"{where}: run lengths of size {raw.get('size')}, image {shape}")
    counts = _counts(raw["counts"], where)
    if (counts < 0).any() or int(counts.sum()) != shape[0] * shape[1]:
        raise AnnotationError(f"{where}: the run lengths do not cover the image; export it again")
    return [RunLengths(value, shape, counts)]


def _counts(raw: Any, where: str) -> NDArray[np.int64]:
    try:
        if isinstance(raw, str):
            return _decompress(raw)
        return np.asarray([int(count) for count in raw], np.int64)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise AnnotationError(f"{where}: run lengths that cannot be read") from error


def _decompress(text: str) -> NDArray[np.int64]:
    """Return the counts of COCO's text: five bits a letter, each count less the last but one."""
    counts: list[int] = []
    place = 0
    while place < len(text):
        number, shift, more = 0, 0, True
        while more:
            letter = ord(text[place]) - 48
            if not 0 <= letter < 64:
                raise ValueError("a letter that stands for nothing")
            number |= (letter & 31) << shift
            more = bool(letter & 32)
            shift += 5
            place += 1
            if not more and letter & 16:
                number -= 1 << shift
        if len(counts) > 2:
            number += counts[-2]
        counts.append(number)
    return np.asarray(counts, np.int64)
