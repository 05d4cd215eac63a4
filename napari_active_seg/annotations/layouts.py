"""Folders of well-known data sets, recognised by their names: images, masks, splits, patients."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from napari_active_seg.images import ImageFacts, facts_for, read_image_table

__all__ = ["Layout", "recognise_layout"]

_GLAS_IMAGE = re.compile(r"^(train|testA|testB)_\d+$", re.IGNORECASE)
_ISIC_IMAGE = re.compile(r"^ISIC_\d{7}$", re.IGNORECASE)
_ISIC_MASK = re.compile(r"^ISIC_\d{7}_segmentation$", re.IGNORECASE)
_MASK_FOLDERS = ("instances", "masks", "annotations", "GroundTruth", "labels")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a known data set says of its images.

    ``not_images`` are pictures among them that are masks; ``masks_dir`` is where masks lie.
    """

    name: str
    facts: dict[str, ImageFacts] = field(default_factory=dict)
    not_images: frozenset[str] = frozenset()
    masks_dir: Path | None = None


def recognise_layout(images_dir: Path, image_ids: Iterable[str]) -> Layout | None:
    """Return the data set that the pictures below ``images_dir`` are of, None if no known one."""
    ids = list(image_ids)
    masks = {i for i in ids if _is_mask(i)}
    pictures = [i for i in ids if i not in masks]
    if pictures and all(_GLAS_IMAGE.match(_stem(i)) for i in pictures):
        return _glas(images_dir, pictures, masks)
    if pictures and all(_ISIC_IMAGE.match(_stem(i)) for i in pictures):
        return _isic(images_dir, pictures, masks)
    return None


def _glas(images_dir: Path, pictures: list[str], masks: set[str]) -> Layout:
    """GlaS: train_1.bmp with train_1_anno.bmp and Grade.csv; training and two test sets."""
    table = _table_beside(images_dir, "Grade.csv")
    known = facts_for(pictures, table)
    facts = {
        i: ImageFacts(
            known.get(i, ImageFacts()).group,
            "train" if _stem(i).lower().startswith("train") else "test",
        )
        for i in pictures
    }
    return Layout("GlaS", facts, frozenset(masks), _masks_dir(images_dir, inside=bool(masks)))


def _isic(images_dir: Path, pictures: list[str], masks: set[str]) -> Layout:
    """ISIC: ..._Training_Data and ..._Training_GroundTruth, or one folder and an index."""
    known = facts_for(pictures, _table_beside(images_dir, "index.csv"))
    facts = {i: known.get(i) or ImageFacts(None, _isic_split(images_dir, i)) for i in pictures}
    return Layout("ISIC", facts, frozenset(masks), _masks_dir(images_dir, inside=bool(masks)))


def _isic_split(images_dir: Path, image_id: str) -> str | None:
    folders = f"{images_dir.name}/{PurePosixPath(image_id).parent.as_posix()}".lower()
    words = {"training": "train", "validation": "validation", "test": "test"}
    return next((split for word, split in words.items() if word in folders), None)


def _is_mask(image_id: str) -> bool:
    stem = _stem(image_id)
    return stem.lower().endswith("_anno") or bool(_ISIC_MASK.match(stem))


def _stem(image_id: str) -> str:
    return PurePosixPath(image_id).stem


def _table_beside(images_dir: Path, name: str) -> dict[str, ImageFacts]:
    for folder in (images_dir, images_dir.parent):
        if (folder / name).is_file():
            return read_image_table(folder / name)
    return {}


def _masks_dir(images_dir: Path, *, inside: bool) -> Path | None:
    """Return the folder of masks: the images' own, one beside them, or one named in their way."""
    if inside:
        return images_dir
    beside = [images_dir.parent / name for name in _MASK_FOLDERS]
    beside.append(images_dir.with_name(images_dir.name.replace("_Data", "_GroundTruth")))
    return next((f for f in beside if f.is_dir() and f != images_dir), None)
