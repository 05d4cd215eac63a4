"""Reading JSON files of unknown origin, with limits and checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError

__all__ = ["parse_points", "read_json"]

_MOST_BYTES = 2 * 2**30


def read_json(path: Path) -> Any:
    """Return what the file holds; AnnotationError if it cannot be read as JSON."""
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise AnnotationError(f"{path.name} has {size:,} bytes; split it into smaller files")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise AnnotationError(f"{path.name} cannot be read as JSON: {error}") from error


def parse_points(raw: Any, *, where: str) -> NDArray[np.float64]:
    """Return points (N, 2) of (x, y); AnnotationError unless they are three finite ones or more."""
    try:
        points = np.asarray(raw, np.float64)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{where}: an outline is not a list of points") from error
    if points.ndim != 2 or points.shape[1] < 2 or len(points) < 3:
        raise AnnotationError(f"{where}: an outline needs three points of x and y or more")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e7:
        raise AnnotationError(f"{where}: an outline has a point that lies on no image")
    return np.ascontiguousarray(points[:, :2])
