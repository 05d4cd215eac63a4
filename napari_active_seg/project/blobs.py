"""Targets as compressed bytes that know their shape and notice damage."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ProjectError

__all__ = ["target_from_blob", "target_to_blob"]

_HEADER = struct.Struct("<4sIII")
_MAGIC = b"TGT1"


def target_to_blob(target: NDArray[np.uint8]) -> bytes:
    """Return ``target`` (H, W) as bytes: magic, height, width, checksum, deflated pixels."""
    pixels = np.ascontiguousarray(target).tobytes()
    header = _HEADER.pack(_MAGIC, *target.shape, zlib.crc32(pixels))
    return header + zlib.compress(pixels, level=1)


def target_from_blob(blob: bytes) -> NDArray[np.uint8]:
    """Return the target of a blob; ProjectError if a single bit of it was lost."""
    try:
        magic, height, width, checksum = _HEADER.unpack_from(blob)
        pixels = zlib.decompress(blob[_HEADER.size :])
    except (struct.error, zlib.error) as error:
        raise ProjectError(f"a stored label is damaged: {error}") from error
    if magic != _MAGIC or len(pixels) != height * width or zlib.crc32(pixels) != checksum:
        raise ProjectError("a stored label is damaged: its checksum does not match")
    return np.frombuffer(pixels, np.uint8).reshape(height, width).copy()
