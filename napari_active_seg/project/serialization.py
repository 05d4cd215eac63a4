"""Targets, object ids and shapes as compressed bytes that know their shape and notice damage."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ProjectError
from napari_active_seg.regions import RegionShape

__all__ = [
    "objects_from_blob",
    "objects_to_blob",
    "shape_from_blob",
    "shape_to_blob",
    "target_from_blob",
    "target_to_blob",
]

_HEADER = struct.Struct("<4sIII")
_TARGET, _OBJECTS, _SHAPE = b"TGT1", b"OBJ1", b"SHP1"


def target_to_blob(target: NDArray[np.uint8]) -> bytes:
    """Return ``target`` (H, W) as bytes: magic, height, width, checksum, deflated pixels."""
    return _to_blob(target, _TARGET)


def target_from_blob(blob: bytes) -> NDArray[np.uint8]:
    """Return the target of a blob; ProjectError if a single bit of it was lost."""
    found: NDArray[np.uint8] = _from_blob(blob, _TARGET, np.dtype(np.uint8))
    return found


def objects_to_blob(objects: NDArray[np.integer]) -> bytes:
    """Return the ids of objects (H, W) as bytes, in the same way."""
    return _to_blob(objects.astype("<i4"), _OBJECTS)


def objects_from_blob(blob: bytes) -> NDArray[np.int32]:
    """Return the ids (H, W) of a blob; ProjectError if a single bit of it was lost."""
    found: NDArray[np.int32] = _from_blob(blob, _OBJECTS, np.dtype("<i4")).astype(np.int32)
    return found


def shape_to_blob(shape: RegionShape) -> bytes:
    """Return which pixels of a rectangle belong to a shape as bytes, in the same way."""
    return _to_blob(shape.mask.astype(np.uint8), _SHAPE)


def shape_from_blob(blob: bytes) -> RegionShape:
    """Return the shape of a blob; ProjectError if a single bit of it was lost."""
    return RegionShape.of(_from_blob(blob, _SHAPE, np.dtype(np.uint8)).astype(bool))


def _to_blob(pixels: NDArray[Any], magic: bytes) -> bytes:
    raw = np.ascontiguousarray(pixels).tobytes()
    return _HEADER.pack(magic, *pixels.shape, zlib.crc32(raw)) + zlib.compress(raw, level=1)


def _from_blob(blob: bytes, expected: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        magic, height, width, checksum = _HEADER.unpack_from(blob)
        raw = zlib.decompress(blob[_HEADER.size :])
    except (struct.error, zlib.error) as error:
        raise ProjectError(f"a stored label is damaged: {error}") from error
    length = height * width * dtype.itemsize
    if magic != expected or len(raw) != length or zlib.crc32(raw) != checksum:
        raise ProjectError("a stored label is damaged: its checksum does not match")
    return np.frombuffer(raw, dtype).reshape(height, width).copy()
