"""CIFAR-10 and CIFAR-100 in their official binary and python files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.studies.classification.restricted_pickle import plain_values
from napari_active_seg.studies.classification.splits import ImagePool

__all__ = ["read_cifar"]

_PIXELS = 32 * 32 * 3
#: Files of training and test, and how many bytes of labels are before each picture.
_BINARY = {
    10: ([f"data_batch_{k}.bin" for k in range(1, 6)], ["test_batch.bin"], 1),
    100: (["train.bin"], ["test.bin"], 2),
}
_PYTHON = {
    10: ([f"data_batch_{k}" for k in range(1, 6)], ["test_batch"], "labels"),
    100: (["train"], ["test"], "fine_labels"),
}
_NAMES = {10: "batches.meta.txt", 100: "fine_label_names.txt"}
_Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def read_cifar(root: Path, *, classes: int) -> ImagePool:
    """Return CIFAR of 10 or 100 classes; ImageError names what is missing or damaged.

    ``root`` holds the binary files or the python ones. The latter are pickles; nothing in them is
    run. Of 100 classes the fine ones are read.
    """
    train_files, test_files, before = _BINARY[classes]
    if (root / train_files[0]).is_file():
        train, test = (
            _joined([_binary(root / n, before) for n in names])
            for names in (train_files, test_files)
        )
    else:
        first, second, key = _PYTHON[classes]
        train, test = (
            _joined([_python(root / n, key) for n in names]) for names in (first, second)
        )
    for _, labels in (train, test):
        if labels.max(initial=0) >= classes:
            raise ImageError(f"{root} has a label {labels.max()} where there are {classes} classes")
    return ImagePool(_class_names(root, classes), *train, *test)


def _joined(parts: list[_Part]) -> _Part:
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _binary(path: Path, before: int) -> _Part:
    raw = np.frombuffer(_bytes(path), np.uint8)
    if raw.size == 0 or raw.size % (before + _PIXELS):
        raise ImageError(f"{path} should hold records of {before + _PIXELS} bytes")
    rows = raw.reshape(-1, before + _PIXELS)
    return _pictures(rows[:, before:]), rows[:, before - 1].copy()  # the fine label is the last


def _python(path: Path, key: str) -> _Part:
    found = plain_values(_bytes(path))
    data = found.get("data") if isinstance(found, dict) else None
    labels = found.get(key) if isinstance(found, dict) else None
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != _PIXELS:
        raise ImageError(f"{path} has no table of {_PIXELS} bytes a picture")
    if labels is None or len(labels) != len(data):
        raise ImageError(f"{path} has no {key} for its {len(data)} pictures")
    return _pictures(data.astype(np.uint8)), np.asarray(labels, np.uint8)


def _pictures(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return rows of planes as pictures (N, 32, 32, 3)."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ImageError(f"{path.name} is not in {path.parent}; CIFAR has binary or python files")
    return path.read_bytes()


def _class_names(root: Path, classes: int) -> tuple[str, ...]:
    path = root / _NAMES[classes]
    names = path.read_text(encoding="utf-8").split() if path.is_file() else []
    return tuple(names) if len(names) == classes else tuple(map(str, range(classes)))
