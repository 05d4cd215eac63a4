"""PASCAL-VOC 2012 with the extended annotations of Hariharan et al. 2011."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from napari_active_seg.errors import ImageError
from napari_active_seg.studies.datasets.base import (
    DataSet,
    Reader,
    Sample,
    folder_in,
    picture,
    read_ids,
)

__all__ = ["VOC", "read_voc"]

_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip


def read_voc(root: Path) -> DataSet:
    """Return VOC's training images, with the extended ones where they are there, and its val.

    The extended set is read as SegmentationClassAug (PNG) in the VOC folder, or as it was
    published: benchmark_RELEASE/dataset (MAT) next to it. Images of VOC's val are never trained on.
    """
    voc = (
        root if (root / "JPEGImages").is_dir() else folder_in(root, "VOCdevkit/VOC2012", "VOC2012")
    )
    lists = voc / "ImageSets" / "Segmentation"
    test, train = _names(lists / "val.txt"), _names(lists / "train.txt")
    truths = {name: partial(_indices, voc / "SegmentationClass" / f"{name}.png") for name in train}
    images = voc / "JPEGImages"
    extended = _extended(root, voc)
    held = set(test)
    truths = {**{n: load for n, load in extended.items() if n not in held}, **truths}
    notes = () if extended else ("Without the extended annotations: VOC's own images alone.",)
    parts = {
        "train": tuple(_sample(images, name, truths[name]) for name in sorted(truths)),
        "test": tuple(
            _sample(images, name, partial(_indices, voc / "SegmentationClass" / f"{name}.png"))
            for name in test
        ),
    }
    return DataSet(_CLASSES, parts, notes)


def _extended(root: Path, voc: Path) -> dict[str, partial[NDArray[np.uint8]]]:
    aug = voc / "SegmentationClassAug"
    if aug.is_dir():
        return {path.stem: partial(_indices, path) for path in sorted(aug.glob("*.png"))}
    for place in (root, voc, root.parent):
        folder = place / "benchmark_RELEASE" / "dataset" / "cls"
        if folder.is_dir():
            return {path.stem: partial(_from_mat, path) for path in sorted(folder.glob("*.mat"))}
    return {}


def _sample(images: Path, name: str, truth: partial[NDArray[np.uint8]]) -> Sample:
    return Sample(name, partial(picture, images / f"{name}.jpg"), truth)


def _names(path: Path) -> list[str]:
    if not path.is_file():
        raise ImageError(f"no list of images at {path}")
    return path.read_text(encoding="utf-8").split()


def _indices(path: Path) -> NDArray[np.uint8]:
    return read_ids(path, indices=True).astype(np.uint8)


def _from_mat(path: Path) -> NDArray[np.uint8]:
    found = loadmat(path, squeeze_me=True, struct_as_record=False)
    return np.asarray(found["GTcls"].Segmentation, np.uint8)


VOC = Reader(
    "voc",
    "PASCAL-VOC 2012 (Everingham et al. 2010), extended (Hariharan et al. 2011)",
    "host.robots.ox.ac.uk/pascal/VOC/voc2012 and the 'semantic boundaries' data set",
    "Flickr's terms by image; research",
    read_voc,
)
