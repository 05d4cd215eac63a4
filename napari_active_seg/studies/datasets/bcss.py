"""BCSS: tissue of breast cancer in H&E, 22 codes to 5 classes, in crops of 512 pixels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import open_picture
from napari_active_seg.regions import UNLABELLED
from napari_active_seg.studies.datasets.base import (
    DataSet,
    Reader,
    Sample,
    folder_in,
    from_codes,
    picture,
    read_ids,
)

__all__ = ["BCSS", "read_bcss"]

_CLASSES = ("other", "tumour", "stroma", "inflammatory", "necrosis")
#: Codes of gtruth_codes.tsv by class; 0 lies outside of what was annotated.
_OF_CLASS = {1: (1, 19, 20), 2: (2,), 3: (3, 10, 11), 4: (4,)}
_OUTSIDE = 0
_N_CODES = 22
_SIDE = 512
#: A crop of which less is annotated is left out.
_LEAST_KNOWN = 0.25
#: Institutes (the second part of a TCGA name) whose slides the data set's authors test on.
_TEST_SITES = frozenset({"OL", "LL", "E2", "EW", "GM", "S3"})


def read_bcss(root: Path) -> DataSet:
    """Return crops of all regions of interest; those of six institutes are ``test``.

    ``group`` is the patient.
    """
    images = folder_in(root, "rgbs_colorNormalized", "rgbs", "images")
    masks = folder_in(root, "masks")
    parts: dict[str, list[Sample]] = {"train": [], "test": []}
    for path in sorted(images.glob("TCGA-*.png")):
        mask = masks / path.name
        if not mask.is_file():
            raise ImageError(f"{path} has no mask of its name in {masks}")
        site, patient = path.stem.split("-")[1], "-".join(path.stem.split("-")[:3])
        part = "test" if site in _TEST_SITES else "train"
        parts[part] += _crops(path, mask, patient)
    return DataSet(
        _CLASSES,
        {part: tuple(samples) for part, samples in parts.items()},
        (
            "Crops of 512 pixels side by side, those with a quarter or more annotated; the split "
            "is by institute, as the data set's authors have it. Mittal et al. 2025 have 6,000 "
            "and 2,768 crops and do not say of which slides.",
        ),
    )


def _crops(path: Path, mask: Path, patient: str) -> list[Sample]:
    """Return the crops of a region of interest that hold enough annotation."""
    with open_picture(path) as opened:
        width, height = opened.size
    codes = read_ids(mask)
    if codes.shape != (height, width):
        raise ImageError(f"{mask} is not as large as its image")
    found = []
    for y in range(0, max(1, height - _SIDE + 1), _SIDE):
        for x in range(0, max(1, width - _SIDE + 1), _SIDE):
            known = (codes[y : y + _SIDE, x : x + _SIDE] != _OUTSIDE).mean()
            if known >= _LEAST_KNOWN:
                found.append(
                    Sample(
                        f"{path.stem}_{y}_{x}",
                        partial(_crop_of, path, y, x),
                        partial(_truth_of, mask, y, x),
                        group=patient,
                    )
                )
    return found


def _crop_of(path: Path, y: int, x: int) -> NDArray[np.uint8]:
    return picture(path)[y : y + _SIDE, x : x + _SIDE]


def _truth_of(mask: Path, y: int, x: int) -> NDArray[np.uint8]:
    table = dict.fromkeys(range(1, _N_CODES), 0)
    table |= {code: index for index, codes in _OF_CLASS.items() for code in codes}
    table[_OUTSIDE] = UNLABELLED
    return from_codes(read_ids(mask)[y : y + _SIDE, x : x + _SIDE], table)


BCSS = Reader(
    "bcss",
    "BCSS (Amgad et al. 2019)",
    "bcsegmentation.grand-challenge.org: the 0.25 MPP images and masks",
    "CC-0",
    read_bcss,
)
