"""What a folder holds before a project is made of it: images, masks, splits, a region size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os.path import commonpath
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import (
    FoundImage,
    ImageFacts,
    Problem,
    ScanResult,
    absolute_path,
    candidate_files,
    picture_shape,
    scan_files,
)
from napari_active_seg.importers import (
    describe_splits,
    find_masks,
    image_root,
    is_image_folder,
    is_mask_folder,
    read_mask_values,
    recognise_layout,
    shared_masks,
    sort_files,
    split_of_folders,
)
from napari_active_seg.regions import (
    UNLABELLED,
    SuggestedSize,
    measure_mixed_squares,
    suggest_region_size,
)

__all__ = ["FolderReport", "FoundMasks", "MasksAmongImagesError", "inspect_folder"]

#: Share of images with two grey values from which on the person is asked what they are.
_MANY_TWO_VALUED = 1 / 3
#: The region size is measured on this many masks.
_MEASURED_MASKS = 32
#: A mask with more values than this holds objects, not classes.
_MOST_CLASSES = 16
#: How many levels up from a chosen folder to search for a folder of masks.
_LEVELS_UP = 3


class MasksAmongImagesError(ImageError):
    """Many of the images look like masks, and the person has not decided what they are."""


@dataclass(frozen=True, slots=True)
class FoundMasks:
    """The masks of images.

    ``misfits`` are masks that have another size than their image, or cannot be read; they are left
    out of ``by_image``.
    """

    folder: Path | None = None
    by_image: Mapping[str, Path] = field(default_factory=dict)
    misfits: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class FolderReport:
    """What is found in a folder before a project is made of it.

    ``images_dir`` is the folder to which the ids of the images are relative: ``folder`` itself, or
    the folder of images in it. ``facts`` are the groups and splits that a known data set gives its
    images, ``folder_splits`` those that the names of folders give.
    """

    folder: Path
    images_dir: Path
    images: tuple[FoundImage, ...]
    masks: FoundMasks
    layout: str | None
    facts: Mapping[str, ImageFacts]
    problems: tuple[Problem, ...]
    official_masks_dir: Path | None = None  #: where a known data set has its masks

    @property
    def has_official_masks(self) -> bool:
        """Whether the masks are those of a known data set in its official layout."""
        return self.masks.folder is not None and self.masks.folder == self.official_masks_dir

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of images that are read in part."""
        return ScanResult(self.images, ()).notes

    @property
    def without_spacing(self) -> int:
        """How many images have no pixel size."""
        return sum(image.spacing is None for image in self.images)

    @cached_property
    def folder_splits(self) -> Mapping[str, ImageFacts]:
        """Splits by the names of folders: where one of them is ``train`` and others are there."""
        below = {image.id: image.path.relative_to(self.folder).as_posix() for image in self.images}
        splits = {image_id: split_of_folders(name) for image_id, name in below.items()}
        named = set(splits.values()) - {None}
        if "train" not in named or len(named) == 1:
            return {}
        return {image_id: ImageFacts(None, split) for image_id, split in splits.items() if split}

    @cached_property
    def mask_like(self) -> tuple[str, ...]:
        """Images that look like masks: they have two grey values, or one in a folder of such."""
        two_valued = any(image.grey_values == 2 for image in self.images)
        return tuple(i.id for i in self.images if two_valued and i.grey_values is not None)

    @property
    def needs_answer(self) -> bool:
        """Whether so large a share of images looks like masks that a person has to decide."""
        return bool(self.mask_like) and len(self.mask_like) >= _MANY_TWO_VALUED * len(self.images)

    @property
    def has_only_masks(self) -> bool:
        """Whether all of the images look like masks."""
        return len(self.mask_like) == len(self.images)

    @property
    def question(self) -> str:
        """What a person is asked about images that look like masks."""
        return (
            f"{len(self.mask_like)} of {len(self.images)} files look like masks "
            f"(two grey values, such as {self.mask_like[0]})"
        )

    @cached_property
    def mixed_squares(self) -> Mapping[int, float]:
        """Share of squares of each size that hold more than one class; empty without masks."""
        paths = [path for _, path in sorted(self.masks.by_image.items())]
        chosen = paths[:: max(1, -(-len(paths) // _MEASURED_MASKS))]
        return measure_mixed_squares(_class_map(path) for path in chosen)

    def suggest_region_size(self, spacing: float | None = None) -> SuggestedSize:
        """Return the suggested size; ``spacing`` is that of images whose files have none."""
        spacings = [image.spacing[0] if image.spacing else spacing for image in self.images]
        known = [each for each in spacings if each is not None]
        return suggest_region_size(
            [image.shape for image in self.images],
            mixed=self.mixed_squares,
            spacing=min(known) if len(known) == len(self.images) else None,
        )

    def with_masks(self, masks_dir: Path | None) -> FolderReport:
        """Return the same with the masks in another folder, or with none.

        Files in ``masks_dir`` are not images, where it is a part of the folder.
        """
        if masks_dir is None:
            return replace(self, masks=FoundMasks())
        masks_dir = absolute_path(masks_dir)
        images = self.images
        if masks_dir != self.images_dir and masks_dir.is_relative_to(self.images_dir):
            images = tuple(i for i in images if not i.path.is_relative_to(masks_dir))
        return self._with(images, _pair(images, masks_dir))

    def with_mask_like_as_masks(self) -> FolderReport:
        """Return the same with images that look like masks as masks of the others."""
        if self.has_only_masks:
            raise ImageError(
                f"all {len(self.images)} files in {self.folder} look like masks; "
                "choose the folder that holds the images"
            )
        apart = set(self.mask_like)
        images = tuple(image for image in self.images if image.id not in apart)
        files = [image.path for image in self.images if image.id in apart]
        known = list(self.masks.by_image.values())
        if all(path.is_relative_to(self.folder) for path in known):
            return self._with(images, _pair_inside(images, [*files, *known], self.folder))
        return self._with(images, self.masks)

    def describe_layout(self) -> str:
        """Return which data set was recognised, and the official split that is kept."""
        text = f"the {self.layout} data set in its official layout"
        splits = describe_splits(self.facts.values())
        return f"{text}, whose split is kept ({splits})" if splits else text

    @property
    def summary(self) -> str:
        """What a person should know of it, in a sentence or two."""
        by_size = sorted((i.shape for i in self.images), key=lambda shape: shape[0] * shape[1])
        sizes = " x ".join(map(str, by_size[0]))
        if by_size[0] != by_size[-1]:
            sizes += " to " + " x ".join(map(str, by_size[-1]))
        text = f"{_count(len(self.images), 'image')} of {sizes} pixels"
        if self.layout is not None:
            text += f", {self.describe_layout()}"
        if self.masks.folder is not None:
            text += f", masks found in {self._named(self.masks.folder)} ({self._matches()})"
        sentences = [text, *self._remarks()]
        return ". ".join(sentence[:1].upper() + sentence[1:] for sentence in sentences)

    def _with(self, images: tuple[FoundImage, ...], masks: FoundMasks) -> FolderReport:
        kept = {image.id for image in images}
        facts = {image_id: fact for image_id, fact in self.facts.items() if image_id in kept}
        return replace(self, images=images, masks=masks, facts=facts)

    def _matches(self) -> str:
        matching = len(self.masks.by_image)
        if matching + len(self.masks.misfits) == 0:
            return "none has the name of an image"
        return (
            f"{matching} match"
            if matching == len(self.images)
            else (f"{matching} of {len(self.images)} match")
        )

    def _named(self, folder: Path) -> str:
        """Return a folder's name as a person sees it from the folder that was chosen."""
        if folder == self.folder:
            return "the same folder"
        inside = folder.is_relative_to(self.folder)
        return f"{folder.relative_to(self.folder).as_posix() if inside else folder.name}/"

    def _remarks(self) -> Iterable[str]:
        misfits, problems = self.masks.misfits, self.problems
        if misfits:
            are = "1 mask does" if len(misfits) == 1 else f"{len(misfits)} masks do"
            yield f"{are} not fit and will not be used, such as {misfits[0].why}"
        if self.folder_splits:
            folders = sorted({fact.split or "" for fact in self.folder_splits.values()})
            yield f"folders name a split, which is kept: {', '.join(folders)}"
        yield from self.notes
        same = _same_names(self.images)
        if same:
            yield f"images of the same name, such as {' and '.join(same)}, are all taken"
        if problems:
            first = problems[0]
            yield f"{len(problems)} cannot be used, such as {first.file}: {first.why}"


def inspect_folder(
    images_dir: Path,
    *,
    sort: bool = True,
    on_file: Callable[[int, int], None] | None = None,
) -> FolderReport:
    """Return what is in a folder of images; nothing is written. ImageError where there are none.

    Images and masks are distinguished by the names of files and folders; masks are searched in the
    folder and next to it. Without ``sort`` every file is an image, and no masks are searched.
    """
    folder = absolute_path(images_dir)
    if not folder.is_dir():
        raise ImageError(f"no folder of images at {images_dir}")
    files = {path.relative_to(folder).as_posix(): path for path in candidate_files(folder)}
    named = sort_files(files) if sort else None
    images = files if named is None else named.images
    root = folder / image_root(list(images)) if sort else folder
    scan = scan_files(root, [files[name] for name in images], on_file=on_file)
    below = [path for path in files.values() if path.is_relative_to(root)]
    layout = recognise_layout(root, (path.relative_to(root).as_posix() for path in below))
    others = layout.not_images if layout else frozenset()
    taken = tuple(image for image in scan.images if image.id not in others)
    facts = layout.facts if layout else {}
    look = FolderReport(
        folder=folder,
        images_dir=root,
        images=taken,
        masks=FoundMasks(),
        layout=layout.name if layout else None,
        facts={image.id: facts[image.id] for image in taken if image.id in facts},
        problems=scan.problems,
        official_masks_dir=layout.masks_dir if layout else None,
    )
    if named is None:
        return look
    masks = [files[name] for name in named.masks]
    masks += [root / name for name in sorted(layout.masks)] if layout else []
    if masks:
        return replace(look, masks=_pair_inside(look.images, masks, folder))
    official = None if layout is None else layout.masks_dir
    beside = list(_sibling_mask_folders(root)) if official is None else [official]
    found = [_pair(look.images, absolute_path(each)) for each in beside]
    best = max(found, key=lambda each: len(each.by_image) + len(each.misfits), default=None)
    if best is None or not (best.by_image or best.misfits):
        return look
    return replace(look, masks=best)


def _pair_inside(images: Sequence[FoundImage], masks: Sequence[Path], folder: Path) -> FoundMasks:
    """Return the masks of images that lie in the same folder.

    Their own folder is the deepest from which the most masks find their images again by name.
    """
    masks = [absolute_path(path) for path in masks]
    deepest = Path(commonpath([path.parent for path in masks]))
    places = [deepest, *(up for up in deepest.parents if up.is_relative_to(folder))]
    found = [_pair(images, place) for place in places]
    return max(found, key=lambda each: len(each.by_image) + len(each.misfits))


def _pair(images: Sequence[FoundImage], masks_dir: Path) -> FoundMasks:
    """Return the masks in a folder that have the name and the size of an image."""
    by_id = {image.id: image for image in images}
    pairs = find_masks(by_id, masks_dir, not_masks=[image.path for image in images])
    fitting, misfits = {}, []
    for image_id, path in pairs.items():
        why = _why_not_fitting(path, by_id[image_id])
        if why is None:
            fitting[image_id] = path
        else:
            misfits.append(Problem(path.relative_to(masks_dir).as_posix(), why))
    for path, shared in shared_masks(fitting).items():
        why = f"mask {path.name} could be that of {' or '.join(shared)}"
        misfits.append(Problem(path.relative_to(masks_dir).as_posix(), why))
        fitting = {i: mask for i, mask in fitting.items() if mask != path}
    return FoundMasks(masks_dir, fitting, tuple(misfits))


def _why_not_fitting(path: Path, image: FoundImage) -> str | None:
    try:
        shape = picture_shape(path)
    except ImageError as error:
        return str(error)
    if shape == image.shape:
        return None
    return (
        f"mask {path.name}: {shape[0]} x {shape[1]} pixels, its image "
        f"{image.shape[0]} x {image.shape[1]}"
    )


def _sibling_mask_folders(folder: Path) -> Iterable[Path]:
    """Yield folders of masks next to a folder of images, or to one above it that is named so.

    Next to ``data/images/train`` these are ``data/images/masks`` and ``data/masks/train``.
    """
    for up, here in enumerate((folder, *folder.parents)[:_LEVELS_UP]):
        if up > 0 and not is_image_folder(here.name):
            continue
        try:
            siblings = sorted(path for path in here.parent.iterdir() if path.is_dir())
        except OSError:  # a folder above may be closed to us
            return
        for sibling in siblings:
            masks = sibling / folder.relative_to(here)
            if sibling != here and is_mask_folder(sibling.name) and masks.is_dir():
                yield masks


def _class_map(path: Path) -> NDArray[np.integer]:
    """Return the classes (H, W) of a mask, as far as its values alone determine them."""
    values = read_mask_values(path)
    if values.ndim == 3:
        values = values @ np.array([1, 256, 65536], np.int64)
        values = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    known = set(np.unique(values).tolist())
    if known <= {0, UNLABELLED} or len(known) > _MOST_CLASSES:
        return (values > 0).astype(np.uint8)
    return values


def _same_names(images: Collection[FoundImage]) -> tuple[str, ...]:
    """Return the ids of the first images that have one name with different suffixes."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for image in images:
        by_name[PurePosixPath(image.id).with_suffix("").as_posix().casefold()].append(image.id)
    return next((tuple(ids) for ids in by_name.values() if len(ids) > 1), ())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
