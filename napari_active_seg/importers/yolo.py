"""YOLO segmentation: a line of a class and shares of width and height for each object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from napari_active_seg.errors import AnnotationError
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.importers.polygons import Outline

__all__ = ["read_yolo", "yolo_names"]

_MOST_BYTES = 2**28


def yolo_names(path: Path) -> dict[int, str]:
    """Return the names of the classes that ``data.yaml`` lists."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AnnotationError(f"{path.name} cannot be read as YAML: {error}") from error
    names = raw.get("names") if isinstance(raw, dict) else None
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        return {number: str(name) for number, name in names.items()}
    raise AnnotationError(f"{path.name} lists no names of classes")


def read_yolo(
    path: Path, names: ClassNames, numbers: Mapping[int, str], shape: tuple[int, int]
) -> tuple[Outline, ...]:
    """Return the outlines of a file of lines; boxes (four numbers) are refused."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise AnnotationError(f"{path.name} is too large for a file of outlines")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path.name} cannot be read: {error}") from error
    found = []
    size = np.array([shape[1], shape[0]], float)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            first, *rest = line.split()
            value, shares = int(first), np.array(rest, np.float64)
        except ValueError as error:
            raise AnnotationError(f"{where} is not a class and numbers") from error
        if len(shares) < 6 or len(shares) % 2 or not np.isfinite(shares).all():
            raise AnnotationError(f"{where} is not an outline of three corners or more")
        if value not in numbers:
            raise AnnotationError(f"{where} is of a class {value} that data.yaml does not name")
        corners = shares.reshape(-1, 2) * size
        corners = np.where(np.abs(corners - corners.round()) < 1e-3, corners.round(), corners)
        found.append(Outline(names.value(numbers[value], where=where), (corners,)))
    return tuple(found)
