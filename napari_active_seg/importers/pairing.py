"""Separate masks from images by the names of files and folders, and pair them.

Names alone decide here: paths below a folder, with ``/`` between their parts. Nothing is read.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = [
    "SortedFiles",
    "image_root",
    "is_image_folder",
    "is_mask_folder",
    "pair_masks",
    "sort_files",
    "split_of_folders",
]

_IMAGE_WORDS = frozenset({"image", "images", "img", "imgs"})
_MASK_WORDS = frozenset(
    {
        "mask",
        "masks",
        "label",
        "labels",
        "gt",
        "groundtruth",
        "annotation",
        "annotations",
        "seg",
        "segmentation",
        "segmentations",
        "instances",
    }
)
#: Folders that name a split, with the split's usual name.
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_ENDINGS = "masks?|segmentations?|seg|anno|annotations?|labels?|gt|ground_?truth"
_ENDING = re.compile(rf"^(?P<stem>.+)[_\-. ](?:{_ENDINGS})$")
_PREFIX = re.compile(r"^(?:mask|segmentation|seg|label|gt)[_\-. ](?P<stem>.+)$")
#: Official folders of ISIC: of one part, images and masks count as one folder.
_ISIC_PART = re.compile(
    r"^(?P<set>isbi2016_isic_part1|isic-2017|isic2018_task1)(?:-2)?"
    r"_(?P<part>training|validation|test)(?:_v2)?_(?:data|input|(?:part1_)?groundtruth)$"
)


@dataclass(frozen=True, slots=True)
class SortedFiles:
    """The pictures of a folder: ``images``, and those that are ``masks`` by their names."""

    images: tuple[str, ...]
    masks: tuple[str, ...]


def is_image_folder(name: str) -> bool:
    """Return whether a folder's name stands for images: ``images``, ``img``, ``train_images``."""
    return _role_of(name, _IMAGE_WORDS) is not None


def is_mask_folder(name: str) -> bool:
    """Return whether a folder's name stands for masks: ``masks``, ``gt``, ``train_masks``."""
    return _role_of(name, _MASK_WORDS) is not None


def sort_files(names: Iterable[str]) -> SortedFiles:
    """Return which of the pictures below a folder are images, and which are masks.

    A mask lies in a folder of masks while others lie outside, or bears the name of an image with
    an ending such as ``_mask``, ``_segmentation`` or ``_gt``. Where nothing is left outside the
    folders of masks, all of them count as images: nothing else separates them.
    """
    ordered = list(names)
    outside = [name for name in ordered if not _lies_in_masks(name)]
    if not outside:
        return SortedFiles(tuple(ordered), ())
    keys = {_key(name) for name in outside}
    images = [name for name in outside if not any(key in keys for key in _keys_without_word(name))]
    if not images:
        return SortedFiles(tuple(ordered), ())
    kept = set(images)
    return SortedFiles(tuple(images), tuple(name for name in ordered if name not in kept))


def pair_masks(images: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Return the mask of each image that has one among ``files``.

    A file with an ending such as ``_mask`` comes before one in a folder of masks, and that before
    one that merely has the image's name. Masks without folders of their own also belong to images
    in sub-folders, where only one image has that name.
    """
    wanted = list(images)
    keys = {name: _key(name) for name in wanted}
    known = set(keys.values())
    times = Counter(key.rpartition("/")[2] for key in known)
    by_key: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in files:
        own = _key(name)
        if own in known or times[own] == 1:
            by_key[own].append((1 if _lies_in_masks(name) else 2, name))
            continue
        for key in _keys_without_word(name):
            by_key[key].append((0, name))
    found: dict[str, str] = {}
    for image, key in keys.items():
        bare = key.rpartition("/")[2]
        candidates = by_key.get(key) or (by_key.get(bare) if times[bare] == 1 else None)
        if candidates:
            found[image] = min(candidates)[1]
    return found


def image_root(images: Collection[str]) -> str:
    """Return the folder of images that holds all of ``images``; empty where there is none.

    ``images/a.png`` and ``images/b/c.png`` lie in ``images``; one picture outside, and the folder
    no longer holds all.
    """
    parents = [PurePosixPath(name).parent.parts for name in images]
    if not parents:
        return ""
    common: list[str] = []
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    while common and not is_image_folder(common[-1]):
        common.pop()
    return "/".join(common)


def split_of_folders(name: str) -> str | None:
    """Return the split that the folders of a file name: ``val`` in ``val/images/a.png``."""
    for part in PurePosixPath(name).parent.parts:
        tokens = [token for token in re.split(r"[_\- ]+", part.casefold()) if token]
        rest = [token for token in tokens if token not in _IMAGE_WORDS]
        if len(rest) == 1 and rest[0] in _SPLITS:
            return _SPLITS[rest[0]]
    return None


def _role_of(folder: str, words: frozenset[str]) -> str | None:
    """Return the rest of a folder's name without one of ``words``: empty, or a split."""
    folded = folder.casefold().replace("ground_truth", "groundtruth")
    tokens = re.split(r"[_\- ]+", folded.replace("ground truth", "groundtruth"))
    rest = [token for token in tokens if token not in words]
    if len(rest) == len(tokens) or len(tokens) > 2:
        return None
    if any(token not in _SPLITS for token in rest):
        return None
    return rest[0] if rest else ""


def _lies_in_masks(name: str) -> bool:
    return any(is_mask_folder(part) for part in PurePosixPath(name).parent.parts)


def _key(name: str) -> str:
    """Return a name without suffix, case, and folders' words for images or masks."""
    return "/".join((*_folders(name), PurePosixPath(name).stem.casefold()))


def _keys_without_word(name: str) -> list[str]:
    """Return keys of images that a file could be the mask of, by its ending or its beginning."""
    stem = PurePosixPath(name).stem.casefold()
    matches = (_ENDING.match(stem), _PREFIX.match(stem))
    return ["/".join((*_folders(name), match["stem"])) for match in matches if match]


def _folders(name: str) -> list[str]:
    kept = []
    for part in PurePosixPath(name).parent.parts:
        isic = _ISIC_PART.match(part.casefold())
        role = _role_of(part, _IMAGE_WORDS) if isic is None else " ".join(isic.groups())
        role = _role_of(part, _MASK_WORDS) if role is None else role
        kept.append(part.casefold() if role is None else role)
    return [part for part in kept if part]
