"""Benign and malignant: part 3 of ISIC 2016, or a subset with an index; research use alone."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg.errors import ImageError
from napari_active_seg.images import open_picture
from napari_active_seg.studies.classification.splits import ImagePool

__all__ = ["CLASSES", "read_diagnoses"]

CLASSES = ("benign", "malignant")
_FOLDER = "ISBI2016_ISIC_Part3_Training_Data"
_TABLE = "ISBI2016_ISIC_Part3_Training_GroundTruth.csv"


def read_diagnoses(root: Path, *, side: int) -> ImagePool:
    """Return all diagnosed lesions in ``root``, as squares of ``side`` pixels, none to test on.

    ``root`` holds the challenge's folder and table, or ``images/`` and an ``index.csv`` with the
    columns ``image_id`` and ``diagnosis``. ImageError names what is missing.
    """
    rows = _rows(root)
    folder = root / _FOLDER if (root / _FOLDER).is_dir() else root / "images"
    files = {p.stem: p for p in folder.iterdir()} if folder.is_dir() else {}
    images, labels = [], []
    for name, word in rows:
        if name not in files:
            raise ImageError(f"{name} of the table of {root} has no picture in {folder}")
        if word not in CLASSES:
            raise ImageError(f"{name} is {word!r} in the table of {root}; {' or '.join(CLASSES)}?")
        images.append(_square(files[name], side))
        labels.append(CLASSES.index(word))
    stack = np.stack(images)
    return ImagePool(CLASSES, stack, np.array(labels, np.uint8), stack[:0], np.empty(0, np.uint8))


def _rows(root: Path) -> list[tuple[str, str]]:
    if (root / _TABLE).is_file():
        with (root / _TABLE).open(newline="", encoding="utf-8-sig") as file:
            found = [(row[0].strip(), row[1].strip()) for row in csv.reader(file) if len(row) > 1]
    elif (root / "index.csv").is_file():
        with (root / "index.csv").open(newline="", encoding="utf-8-sig") as file:
            found = [
                (row["image_id"], row["diagnosis"])
                for row in csv.DictReader(file)
                if row.get("diagnosis")
            ]
    else:
        raise ImageError(f"neither {_TABLE} nor index.csv is in {root}")
    if not found:
        raise ImageError(f"the table of {root} has no diagnosis")
    return found


def _square(path: Path, side: int) -> NDArray[np.uint8]:
    try:
        with open_picture(path) as picture:
            small = picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error}") from error
    return np.asarray(small)
