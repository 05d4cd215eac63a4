"""MNIST in its official IDX files, packed or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.studies.classification.splits import ImagePool

__all__ = ["read_mnist"]

_IMAGES, _LABELS = 2051, 2049
_MOST_BYTES = 2**28


def read_mnist(root: Path) -> ImagePool:
    """Return MNIST from the four files in ``root``; ImageError names what is missing or damaged.

    They are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-...``, with ``.gz``
    or without.
    """
    images, labels = _part(root, "train")
    test_images, test_labels = _part(root, "t10k")
    return ImagePool(tuple("0123456789"), images, labels, test_images, test_labels)


def _part(root: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = _read(root, f"{name}-images-idx3-ubyte", _IMAGES, axes=3)[..., None]
    labels = _read(root, f"{name}-labels-idx1-ubyte", _LABELS, axes=1)
    if len(images) != len(labels) or labels.max(initial=0) > 9:
        raise ImageError(f"{root}: {name} has {len(images)} images and {len(labels)} labels")
    return images, labels


def _read(root: Path, name: str, magic: int, *, axes: int) -> NDArray[np.uint8]:
    path = next((p for p in (root / name, root / f"{name}.gz") if p.is_file()), None)
    if path is None:
        raise ImageError(f"{name}(.gz) is not in {root}; MNIST has four such files")
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                raw = file.read(_MOST_BYTES)
        else:
            raw = path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ImageError(f"{path} cannot be unpacked: {error}") from error
    head = np.frombuffer(raw[: 4 * (1 + axes)], ">u4")
    if len(head) != 1 + axes or head[0] != magic:
        raise ImageError(f"{path} does not begin as MNIST's files do")
    shape = tuple(int(n) for n in head[1:])
    body = np.frombuffer(raw, np.uint8, offset=4 * (1 + axes))
    if body.size != int(np.prod(shape)):
        raise ImageError(f"{path} should hold {np.prod(shape):,} bytes but has {body.size:,}")
    return body.reshape(shape)
