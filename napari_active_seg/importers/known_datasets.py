"""Well-known data sets in their official layout: images, masks, splits, patients.

Only the official names of files and folders count. For images in another
arrangement the caller gives the masks and splits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from napari_active_seg.images import ImageFacts, get_image_facts, read_image_table

__all__ = ["Layout", "describe_splits", "recognise_layout"]

_GLAS_IMAGE = re.compile(r"^(train|testA|testB)_\d+\.bmp$")
_ISIC_IMAGE = re.compile(r"^ISIC_\d{7}\.(jpg|jpeg)$", re.IGNORECASE)
_ISIC_MASK = re.compile(r"^ISIC_\d{7}_segmentation\.png$", re.IGNORECASE)
_ISIC_OTHER = re.compile(r"^ISIC_\d{7}_superpixels\.png$", re.IGNORECASE)
#: Official folders of images, each with its folder of masks and its split.
_ISIC_FOLDERS = {
    "ISBI2016_ISIC_Part1_Training_Data": ("ISBI2016_ISIC_Part1_Training_GroundTruth", "train"),
    "ISBI2016_ISIC_Part1_Test_Data": ("ISBI2016_ISIC_Part1_Test_GroundTruth", "test"),
    "ISIC-2017_Training_Data": ("ISIC-2017_Training_Part1_GroundTruth", "train"),
    "ISIC-2017_Validation_Data": ("ISIC-2017_Validation_Part1_GroundTruth", "validation"),
    "ISIC-2017_Test_v2_Data": ("ISIC-2017_Test_v2_Part1_GroundTruth", "test"),
    "ISIC2018_Task1-2_Training_Input": ("ISIC2018_Task1_Training_GroundTruth", "train"),
    "ISIC2018_Task1-2_Validation_Input": ("ISIC2018_Task1_Validation_GroundTruth", "validation"),
    "ISIC2018_Task1-2_Test_Input": ("ISIC2018_Task1_Test_GroundTruth", "test"),
}
_ISIC_TRUTHS = frozenset(truth for truth, _ in _ISIC_FOLDERS.values())


@dataclass(frozen=True, slots=True)
class Layout:
    """The masks, groups and splits of a known data set.

    ``masks`` are pictures among them that are masks, ``not_images`` those and others that are not
    images; ``masks_dir`` is where masks lie.
    """

    name: str
    facts: dict[str, ImageFacts] = field(default_factory=dict)
    masks: frozenset[str] = frozenset()
    not_images: frozenset[str] = frozenset()
    masks_dir: Path | None = None


def recognise_layout(images_dir: Path, pictures: Iterable[str]) -> Layout | None:
    """Return the data set whose official layout is that of ``images_dir``, None for any other.

    ``pictures`` are all that lie below it, masks too.
    """
    names = list(pictures)
    return _glas(images_dir, names) or _isic(images_dir, names)


def describe_splits(facts: Iterable[ImageFacts]) -> str:
    """Return how many images each official split has: ``85 train, 80 test``; empty for none.

    >>> describe_splits([ImageFacts(None, "train"), ImageFacts(None, "test"), ImageFacts("p")])
    '1 train, 1 test'
    """
    counts = Counter(fact.split for fact in facts if fact.split is not None)
    return ", ".join(f"{count} {split}" for split, count in counts.items())


def _glas(images_dir: Path, names: list[str]) -> Layout | None:
    """GlaS: train_1.bmp with train_1_anno.bmp and Grade.csv; training and two test sets."""
    folder = _only_folder(names)
    if folder is None or not (images_dir / folder / "Grade.csv").is_file():
        return None
    masks = frozenset(name for name in names if name.endswith("_anno.bmp"))
    images = [name for name in names if name not in masks]
    whole = all(
        _GLAS_IMAGE.match(PurePosixPath(name).name) and f"{name[:-4]}_anno.bmp" in masks
        for name in images
    )
    if not images or not whole:
        return None
    known = get_image_facts(images, read_image_table(images_dir / folder / "Grade.csv"))
    splits = {i: "train" if PurePosixPath(i).name.startswith("train") else "test" for i in images}
    facts = _with_splits(splits, {i: fact.group for i, fact in known.items()})
    return Layout("GlaS", facts, masks, masks, images_dir / folder)


def _isic(images_dir: Path, names: list[str]) -> Layout | None:
    """ISIC 2016 to 2018: a folder of images of the official name, or several in one."""
    places = {name: PurePosixPath(images_dir.name, name).parts[-2:] for name in names}
    masks = frozenset(
        n for n, (at, file) in places.items() if at in _ISIC_TRUTHS and _ISIC_MASK.match(file)
    )
    others = frozenset(
        n for n, (at, file) in places.items() if at in _ISIC_FOLDERS and _ISIC_OTHER.match(file)
    )
    images = [name for name in names if name not in masks | others]
    if not images or not all(
        places[n][0] in _ISIC_FOLDERS and _ISIC_IMAGE.match(places[n][1]) for n in images
    ):
        return None
    splits = {name: _ISIC_FOLDERS[places[name][0]][1] for name in images}
    folder, masks_dir = _only_folder(images), images_dir if masks else None
    if folder is not None:
        own = images_dir / folder
        truth = own.with_name(_ISIC_FOLDERS[own.name][0])
        masks_dir = truth if truth.is_dir() else None
    return Layout("ISIC", _with_splits(splits, {}), masks, masks | others, masks_dir)


def _only_folder(names: Iterable[str]) -> str | None:
    """Return the one folder in which all files lie, None where there are several."""
    folders = {PurePosixPath(name).parent.as_posix() for name in names}
    return folders.pop() if len(folders) == 1 else None


def _with_splits(splits: dict[str, str], groups: dict[str, str | None]) -> dict[str, ImageFacts]:
    """Return the facts of images; one part alone is not a split, since all would be in it."""
    several = "train" in splits.values() and len(set(splits.values())) > 1
    return {
        name: ImageFacts(groups.get(name), split if several else None)
        for name, split in splits.items()
    }
