"""Labelme's JSON: masks, polygons, rectangles and circles."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from typing import Any

import numpy as np

from napari_active_seg.errors import AnnotationError
from napari_active_seg.images import open_picture
from napari_active_seg.importers.json_file import parse_points, read_json
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.importers.polygons import Outline, PixelMask, Shape
from napari_active_seg.regions import UNLABELLED

__all__ = ["is_labelme", "read_labelme"]

_UNKNOWN = "__ignore__"
_BACKGROUND = "_background_"


def is_labelme(raw: object) -> bool:
    """Return whether parsed JSON is a Labelme file."""
    return isinstance(raw, dict) and isinstance(raw.get("shapes"), list) and "imagePath" in raw


def read_labelme(path: Path, names: ClassNames, shape: tuple[int, int]) -> tuple[Shape, ...]:
    """Return the shapes of a file; lines and points, which have no area, are left out."""
    raw = read_json(path)
    if not is_labelme(raw):
        raise AnnotationError(f"{path.name} is not a Labelme file: want shapes and imagePath")
    given = (raw.get("imageHeight", shape[0]), raw.get("imageWidth", shape[1]))
    if given != shape:
        raise AnnotationError(f"{path.name} is about a picture of {given}, the image is {shape}")
    found: list[Shape] = []
    for number, drawn in enumerate(raw["shapes"], 1):
        where = f"{path.name}, shape {number}"
        if not isinstance(drawn, dict) or not isinstance(drawn.get("label"), str):
            raise AnnotationError(f"{where} has no label")
        read = _READERS.get(str(drawn.get("shape_type", "polygon")))
        if read is not None:
            found.append(read(drawn, _value(drawn["label"], names, where), where))
    return tuple(found)


def _value(label: str, names: ClassNames, where: str) -> int:
    if label == _UNKNOWN:
        return UNLABELLED
    if label == _BACKGROUND and label not in names.schema.names:
        return 0
    return names.value(label, where=where)


def _polygon(drawn: dict[str, Any], value: int, where: str) -> Shape:
    return Outline(value, (parse_points(drawn.get("points"), where=where),))


def _rectangle(drawn: dict[str, Any], value: int, where: str) -> Shape:
    (x0, y0), (x1, y1) = _two_points(drawn, where)
    return Outline(value, (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float),))


def _circle(drawn: dict[str, Any], value: int, where: str) -> Shape:
    (x0, y0), (x1, y1) = _two_points(drawn, where)
    turns = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    radius = float(np.hypot(x1 - x0, y1 - y0))
    around = np.stack([x0 + radius * np.cos(turns), y0 + radius * np.sin(turns)], axis=1)
    return Outline(value, (around,))


def _mask(drawn: dict[str, Any], value: int, where: str) -> Shape:
    (x0, y0), _ = _two_points(drawn, where)
    try:
        data = base64.b64decode(str(drawn.get("mask", "")), validate=True)
        mask = np.asarray(open_picture(io.BytesIO(data))) > 0
    except (binascii.Error, ValueError, OSError) as error:
        raise AnnotationError(f"{where}: a mask that cannot be read") from error
    if mask.ndim != 2 or x0 < 0 or y0 < 0:
        raise AnnotationError(f"{where}: a mask that lies on no picture")
    return PixelMask(value, int(y0), int(x0), mask)


def _two_points(drawn: dict[str, Any], where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        points = np.asarray(drawn.get("points"), np.float64)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{where}: its points are not numbers") from error
    if points.shape != (2, 2) or not np.isfinite(points).all() or np.abs(points).max() > 1e7:
        raise AnnotationError(f"{where}: want two points")
    return points


_READERS = {"polygon": _polygon, "rectangle": _rectangle, "circle": _circle, "mask": _mask}
