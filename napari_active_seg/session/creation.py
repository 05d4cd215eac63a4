"""Make a project out of a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_active_seg.annotations import Layout, MaskFolder, recognise_layout
from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.images import (
    FoundImage,
    ImageFacts,
    ImageRef,
    Problem,
    absolute_path,
    believable,
    facts_for,
    groups_by_pattern,
    read_image_table,
    scan_folder,
)
from napari_active_seg.project import (
    Placement,
    Project,
    Split,
    assign_splits,
    groups_in_several_splits,
    pseudonyms_for,
    refuse_taken_folder,
)
from napari_active_seg.regions import Effort, LabelSchema, Region, RegionState

__all__ = [
    "CLASS_TEMPLATES",
    "CreatedProject",
    "FolderLook",
    "ImageSettings",
    "create_project",
    "look_at_folder",
]

#: Classes that many begin with, the background first; colours are those of the house's palette.
CLASS_TEMPLATES: dict[str, tuple[str, ...]] = {
    "gland / background": ("background", "gland"),
    "lesion / skin": ("skin", "lesion"),
    "tumour, stroma, inflammatory, necrosis, other": (
        "other",
        "tumour",
        "stroma",
        "inflammatory",
        "necrosis",
    ),
}

_SPLIT_WORDS = {
    "train": Split.POOL,
    "training": Split.POOL,
    "pool": Split.POOL,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.AUDIT,
    "audit": Split.AUDIT,
}


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """What is known of the images beside their pixels.

    ``table`` is a CSV with patients (slides, groups) and splits; ``group_pattern`` finds the
    patient in the file name. With ``key_file`` images and patients get pseudonyms, and only that
    file says which is which.
    """

    val_fraction: float = 0.2
    audit_fraction: float = 0.0
    seed: int = 0
    table: Path | None = None
    group_pattern: str | None = None
    key_file: Path | None = None
    spacing: float | None = None  #: micrometres per pixel of images whose files do not say


@dataclass(frozen=True, slots=True)
class FolderLook:
    """What is found in a folder before a project is made of it."""

    images: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    without_spacing: int
    layout: str | None
    masks_dir: Path | None
    problems: tuple[Problem, ...]

    @property
    def words(self) -> str:
        """What a person should know of it, in a sentence or two."""
        sizes = " x ".join(map(str, self.smallest))
        if self.largest != self.smallest:
            sizes += " to " + " x ".join(map(str, self.largest))
        text = f"{self.images} images of {sizes} pixels"
        if self.layout is not None:
            text += f", the {self.layout} data set"
        if self.masks_dir is not None:
            text += f"; masks are in {self.masks_dir.name}"
        if self.problems:
            first = self.problems[0]
            text += f". {len(self.problems)} cannot be used, such as {first.file}: {first.why}"
        return text


def look_at_folder(
    images_dir: Path, *, on_file: Callable[[int, int], None] | None = None
) -> FolderLook:
    """Return what is in a folder of images; nothing is written. ImageError where there are none."""
    images, layout, problems = _images_in(images_dir, on_file)
    by_size = sorted((image.shape for image in images), key=lambda shape: shape[0] * shape[1])
    return FolderLook(
        images=len(images),
        smallest=by_size[0],
        largest=by_size[-1],
        without_spacing=sum(image.spacing is None for image in images),
        layout=layout.name if layout else None,
        masks_dir=layout.masks_dir if layout else None,
        problems=problems,
    )


def _images_in(
    images_dir: Path, on_file: Callable[[int, int], None] | None
) -> tuple[tuple[FoundImage, ...], Layout | None, tuple[Problem, ...]]:
    """Return the images of a folder without the masks among them, and what else was found."""
    scan = scan_folder(images_dir, on_file=on_file)
    layout = recognise_layout(images_dir, (image.id for image in scan.images))
    masks = layout.not_images if layout else frozenset()
    return tuple(i for i in scan.images if i.id not in masks), layout, scan.problems


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """A new project and what was noticed while it was made."""

    folder: Path
    images: int
    validation_images: int
    validation_labelled: int
    audit_images: int
    masks_left: int  #: masks of pool images, for ``label`` to take over
    masks_dir: Path | None
    layout: str | None  #: the well-known data set that the folder was recognised as
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]  #: such as patients in more than one split


def create_project(
    folder: Path,
    *,
    images_dir: Path,
    classes: Sequence[str],
    masks_dir: Path | None = None,
    settings: ImageSettings | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> CreatedProject:
    """Make a project in ``folder`` from the images below ``images_dir``.

    With masks (given, or known from the data set's layout) the validation and audit images are
    labelled at once, so that every model is measured from the first on; masks of pool images
    wait until they are asked for, since the pool is what a person, or a simulated annotator, is
    to label. All input is checked before anything is written.
    """
    settings = settings or ImageSettings()
    schema = LabelSchema.from_names(classes)
    refuse_taken_folder(folder)
    _refuse_key_inside(settings.key_file, folder)
    found, layout, unusable = _images_in(images_dir, on_file)
    images = tuple(_with_spacing(image, settings.spacing) for image in found)
    placements = _placements([image.id for image in images], layout, settings)
    masks_dir = masks_dir or (layout.masks_dir if layout else None)
    oracle = None
    if masks_dir is not None:
        oracle = MaskFolder.from_folder(masks_dir, _refs(images), n_classes=len(schema))
    names = _names(images, settings)
    groups = _group_names(placements, settings)
    project = Project.create(
        folder,
        schema=schema,
        images=[replace(image, id=names[image.id]) for image in images],
        splits={
            names[i]: replace(p, group=groups.get(p.group or "")) for i, p in placements.items()
        },
        images_dir=images_dir,
        masks_dir=masks_dir,
        key_file=settings.key_file,
        seed=settings.seed,
    )
    with project:
        labelled = 0 if oracle is None else _label_set_aside(project, oracle, names)
    known = set() if oracle is None else set(oracle.image_ids)
    splits = [placement.split for placement in placements.values()]
    return CreatedProject(
        folder=project.folder,
        images=len(images),
        validation_images=splits.count(Split.VALIDATION),
        validation_labelled=labelled,
        audit_images=splits.count(Split.AUDIT),
        masks_left=sum(1 for i in known if placements[i].split is Split.POOL),
        masks_dir=masks_dir,
        layout=layout.name if layout else None,
        problems=unusable,
        notes=_notes(placements, groups),
    )


def _with_spacing(image: FoundImage, spacing: float | None) -> FoundImage:
    """Return an image with the spacing that a person gave, where its file says none."""
    if image.spacing is not None or spacing is None:
        return image
    if believable(spacing, spacing) is None:
        raise ConfigError(f"{spacing:g} micrometres per pixel is no spacing of an image")
    return replace(image, spacing=(spacing, spacing))


def _refuse_key_inside(key_file: Path | None, folder: Path) -> None:
    if key_file is None:
        return
    if absolute_path(key_file).is_relative_to(absolute_path(folder)):
        raise ConfigError(f"the key {key_file} would lie in the project; keep it apart from it")
    if key_file.suffix.lower() != ".csv":
        raise ConfigError(f"the key of pseudonyms is a .csv file, not {key_file}")
    if key_file.exists():
        raise ConfigError(f"{key_file} exists; a key is written anew, choose another name")


def _placements(
    ids: list[str], layout: Layout | None, settings: ImageSettings
) -> dict[str, Placement]:
    facts: dict[str, ImageFacts] = dict(layout.facts) if layout else {}
    if settings.table is not None:
        facts |= facts_for(ids, read_image_table(settings.table))
    groups = {i: fact.group for i, fact in facts.items() if fact.group}
    if settings.group_pattern is not None:
        groups |= groups_by_pattern(ids, settings.group_pattern)
    official = {i: _split_of(fact.split) for i, fact in facts.items() if fact.split}
    return assign_splits(
        ids,
        val_fraction=settings.val_fraction,
        audit_fraction=settings.audit_fraction,
        seed=settings.seed,
        groups=groups,
        official=official,
    )


def _split_of(word: str) -> Split:
    if word.casefold() not in _SPLIT_WORDS:
        raise ConfigError(f"split {word!r} is unknown: {did_you_mean(word, _SPLIT_WORDS)}")
    return _SPLIT_WORDS[word.casefold()]


def _names(images: Sequence[FoundImage], settings: ImageSettings) -> dict[str, str]:
    """Return the id that each image bears in the project: its own, or a pseudonym."""
    ids = [image.id for image in images]
    if settings.key_file is None:
        return dict(zip(ids, ids, strict=True))
    return pseudonyms_for(ids, prefix="image", seed=settings.seed)


def _group_names(placements: Mapping[str, Placement], settings: ImageSettings) -> dict[str, str]:
    groups = sorted({p.group for p in placements.values() if p.group is not None})
    if settings.key_file is None:
        return dict(zip(groups, groups, strict=True))
    return pseudonyms_for(groups, prefix="group", seed=settings.seed)


def _notes(placements: Mapping[str, Placement], groups: Mapping[str, str]) -> tuple[str, ...]:
    shared = groups_in_several_splits(placements.values())
    return tuple(
        f"patient or slide {groups[group]!r} has images in {' and '.join(splits)}: figures "
        "measured on one of them flatter the model"
        for group, splits in shared.items()
    )


def _refs(images: Sequence[FoundImage]) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(image.id, "", image.shape, None, "") for image in images)


def _label_set_aside(project: Project, oracle: MaskFolder, names: Mapping[str, str]) -> int:
    count = 0
    for own_name in oracle.image_ids:
        ref = project.images.ref(names[own_name])
        split = project.images.split_of(ref.id)
        if split is Split.POOL:
            continue
        own = Region.whole(own_name, ref.shape)
        region_id = project.regions.add_whole_image(replace(own, image_id=ref.id))
        project.labels.save(
            region_id,
            oracle.whole(own_name),
            state=RegionState.DONE,
            annotator="masks",
            effort=Effort(),
            note="came with its mask",
            objects=oracle.objects(own),
        )
        count += split is Split.VALIDATION
    return count
