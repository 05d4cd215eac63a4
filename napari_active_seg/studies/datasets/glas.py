"""GlaS: glands of the colon in H&E, the official files or images and instances in folders."""

from __future__ import annotations

import csv
import re
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

__all__ = ["GLAS", "read_glas"]

_NAME = re.compile(r"(train|testA|testB)_(\d+)")
_SUFFIXES = (".bmp", ".png", ".tif")


def read_glas(root: Path) -> DataSet:
    """Return train as ``train``, testA as ``test`` and testB as ``testB``.

    Patients come from Grade.csv, where each image is benign or malignant too.
    """
    images, masks = _files(root)
    facts = _grades(root / "Grade.csv")
    parts: dict[str, list[Sample]] = {}
    for name in sorted(images, key=_order):
        if name not in masks:
            raise ImageError(f"{images[name]} has no annotation next to it")
        patient, grade = facts.get(name, ("", ""))
        official = name.split("_")[0]
        part = {"train": "train", "testA": "test"}.get(official, official)
        parts.setdefault(part, []).append(
            Sample(
                name,
                partial(picture, images[name]),
                partial(_glands, masks[name]),
                partial(read_ids, masks[name]),
                group=patient,
                kind=grade,
            )
        )
    return DataSet(("background", "gland"), {k: tuple(v) for k, v in parts.items()}, _notes(parts))


def _files(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return images and annotations by name: train_1.bmp, train_1_anno.bmp, or two folders."""
    if (root / "images").is_dir():
        return (
            _named(root / "images", ""),
            _named(
                next((root / n for n in ("instances", "masks") if (root / n).is_dir()), root), ""
            ),
        )
    images, masks = _named(root, ""), _named(root, "_anno")
    if not images:
        raise ImageError(f"no train_1.bmp, testA_1.bmp, ... in {root}")
    return images, masks


def _named(folder: Path, ending: str) -> dict[str, Path]:
    files = by_stem(p for p in sorted(folder.iterdir()) if p.suffix.lower() in _SUFFIXES)
    return {
        stem.removesuffix(ending): path
        for stem, path in files.items()
        if stem.endswith(ending) and _NAME.fullmatch(stem.removesuffix(ending))
    }


def _order(name: str) -> tuple[str, int]:
    part, number = name.split("_")
    return part, int(number)


def _grades(table: Path) -> dict[str, tuple[str, str]]:
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = [{k.strip(): v.strip() for k, v in row.items() if k} for row in csv.DictReader(file)]
    return {row["name"]: (row["patient ID"], row["grade (GlaS)"]) for row in rows}


def _glands(path: Path) -> NDArray[np.uint8]:
    return (read_ids(path) > 0).astype(np.uint8)


def _notes(parts: dict[str, list[Sample]]) -> tuple[str, ...]:
    of_train = {s.group for s in parts.get("train", []) if s.group}
    shared = sorted(of_train & {s.group for s in parts.get("test", []) if s.group}, key=str)
    if not shared:
        return ()
    return (
        f"The official split shares {len(shared)} patients between train and testA: figures on "
        "testA flatter every model alike.",
    )


GLAS = Reader(
    "glas",
    "GlaS (Sirinukunwattana et al. 2017)",
    "warwick.ac.uk, TIA centre, data, 'GlaS challenge contest'",
    "research only, no commercial use",
    read_glas,
)
