"""ISIC: lesions of the skin in dermoscopy, parts 1 of 2016, 2017 and 2018."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.studies.datasets.base import (
    DataSet,
    Reader,
    Sample,
    by_stem,
    picture,
    read_ids,
)

__all__ = ["ISIC_2016", "ISIC_2017", "ISIC_2018", "read_isic"]

_CLASSES = ("skin", "lesion")
#: Folders of images and masks by year and part, as the challenges named them.
_FOLDERS = {
    2016: {
        "train": ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),
        "test": ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
    },
    2017: {
        "train": ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
        "val": ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
        "test": ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
    },
    2018: {
        "train": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
        "val": ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
        "test": ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
    },
}


def read_isic(root: Path, *, year: int) -> DataSet:
    """Return the parts of a challenge, or of a folder with images, masks and index.csv."""
    if (root / "index.csv").is_file():
        return _indexed(root)
    parts = {}
    for part, (images, masks) in _FOLDERS[year].items():
        if (root / images).is_dir():
            parts[part] = _samples(root / images, root / masks, {})
    if "train" not in parts:
        raise ImageError(f"no folder {_FOLDERS[year]['train'][0]} in {root}")
    return DataSet(_CLASSES, parts)


def _indexed(root: Path) -> DataSet:
    with (root / "index.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {row["image_id"]: row.get("diagnosis", "") for row in rows}
    every = {s.id: s for s in _samples(root / "images", root / "masks", kinds)}
    parts = {
        part: tuple(
            every[r["image_id"]] for r in rows if r["split"] == part and r["image_id"] in every
        )
        for part in ("train", "val", "test")
    }
    note = f"A subset: {len(parts['train'])} training and {len(parts['test'])} test images."
    return DataSet(_CLASSES, parts, (note,))


def _samples(images: Path, masks: Path, kinds: dict[str, str]) -> tuple[Sample, ...]:
    if not masks.is_dir():
        raise ImageError(f"no folder {masks} next to {images.name}")
    truths = by_stem(masks.iterdir())
    found = []
    for path in sorted(images.iterdir()):
        mask = truths.get(f"{path.stem}_Segmentation") or truths.get(f"{path.stem}_segmentation")
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png") or path.stem.endswith(
            "superpixels"
        ):
            continue
        if mask is None:
            raise ImageError(f"{path} has no mask {path.stem}_Segmentation.png in {masks}")
        kind = kinds.get(path.stem, "")
        found.append(Sample(path.stem, partial(picture, path), partial(_lesion, mask), kind=kind))
    return tuple(found)


def _lesion(path: Path) -> NDArray[np.uint8]:
    return (read_ids(path) > 127).astype(np.uint8)


def _reader(year: int, terms: str) -> Reader:
    return Reader(
        f"isic{year}",
        f"ISIC {year} challenge, part 1",
        f"challenge.isic-archive.com, data, {year}",
        terms,
        partial(read_isic, year=year),
    )


ISIC_2016 = _reader(2016, "CC-0 or CC-BY-NC by image")
ISIC_2017 = _reader(2017, "CC-0 or CC-BY-NC by image")
ISIC_2018 = _reader(2018, "CC-BY-NC")
