"""Make a project out of a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from napari_active_seg.errors import ConfigError, ImageError, did_you_mean
from napari_active_seg.images import (
    FoundImage,
    ImageFacts,
    ImageRef,
    Problem,
    absolute_path,
    check_plausible_spacing,
    describe_unmatched_images,
    find_groups_by_pattern,
    match_table,
)
from napari_active_seg.importers import (
    AnnotationOptions,
    MaskConvention,
    MaskFolder,
    detect_convention,
    open_masks,
    read_masks,
)
from napari_active_seg.project import (
    Placement,
    Project,
    Split,
    assign_splits,
    check_folder_free,
    draw_pseudonyms,
    explain_missing_validation,
    groups_in_several_splits,
)
from napari_active_seg.regions import (
    Effort,
    LabelSchema,
    Region,
    RegionState,
    SuggestedSize,
)
from napari_active_seg.session.folder_report import (
    FolderReport,
    MasksAmongImagesError,
    inspect_folder,
)

__all__ = [
    "CLASS_TEMPLATES",
    "GROUP_PATTERNS",
    "CreatedProject",
    "FolderReport",
    "ImageSettings",
    "MasksAmongImagesError",
    "SplitPlan",
    "create_project",
    "inspect_folder",
    "plan_split",
]

_TEMPLATES = (
    ("background", "gland"),
    ("background", "nucleus"),
    ("skin", "lesion"),
    ("other", "tumour", "stroma", "inflammatory", "necrosis"),
)
#: Classes that many begin with, by what a person reads: the background first, as in masks, where it
#: is 0.
CLASS_TEMPLATES: dict[str, tuple[str, ...]] = {", ".join(names): names for names in _TEMPLATES}

#: Which part of a file's path names the patient or slide, by what a person reads.
GROUP_PATTERNS: dict[str, str] = {
    'up to first "_"': r"(?:^|/)([^/_]+)_[^/]*$",
    'up to last "_"': r"(?:^|/)([^/]+)_[^/_]*$",
    'up to first "-"': r"(?:^|/)([^/-]+)-[^/]*$",
    "parent folder": r"(?:^|/)([^/]+)/(?:(?:images?|imgs?)/)?[^/]+$",
}

_SPLIT_WORDS = {
    "train": Split.POOL,
    "training": Split.POOL,
    "pool": Split.POOL,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
    "audit": Split.TEST,  # as older tables have it
}


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """What is known of the images in addition to their pixels.

    ``table`` is a CSV with patients (slides, groups) and splits; ``group_pattern`` finds the
    patient in the file name. With ``key_file`` images and patients get pseudonyms, and only that
    file names which is which. ``mask_like`` is what files with two grey values are, where many of
    the images are such.
    """

    val_fraction: float = 0.2
    test_fraction: float = 0.0
    seed: int = 0
    table: Path | None = None
    group_pattern: str | None = None
    key_file: Path | None = None
    spacing: float | None = None  #: micrometres per pixel of images whose files have none
    mask_like: Literal["ask", "masks", "images"] = "ask"
    masks_as: str = "auto"  #: what the numbers in masks mean: auto, or a MaskConvention
    folder_splits: bool = True  #: keep the split that folders such as train and test name
    sort_files: bool = True  #: distinguish masks from images by the names of files and folders


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How many images, and patients or slides, a split would set aside for validation."""

    images: int
    validation_images: int
    test_images: int
    groups: int
    validation_groups: int
    example: tuple[str, str] | None  #: an image, and its patient or slide
    notes: tuple[str, ...] = ()  #: such as rows of the table that name no image

    @property
    def summary(self) -> str:
        """The effect in words."""
        text = f"{self.validation_images} of {self.images} images"
        if self.groups:
            text += f", {self.validation_groups} of {self.groups} patients or slides"
        return text if self.validation_images else f"{text}: no model can be measured"


def plan_split(look: FolderReport, settings: ImageSettings) -> SplitPlan:
    """Return what ``settings`` would set aside of a folder; ConfigError where they do not fit."""
    placements, notes = _placements(look, settings)
    held_out = [p for p in placements.values() if p.split is Split.VALIDATION]
    return SplitPlan(
        images=len(placements),
        validation_images=len(held_out),
        test_images=sum(p.split is Split.TEST for p in placements.values()),
        groups=len({p.group for p in placements.values() if p.group}),
        validation_groups=len({p.group for p in held_out if p.group}),
        example=next(((i, p.group) for i, p in placements.items() if p.group), None),
        notes=notes,
    )


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """A new project and what was noticed while it was made."""

    folder: Path
    images: int
    validation_images: int
    validation_labelled: int
    test_images: int
    masks_left: int  #: masks of pool images, for ``label`` to take over
    masks_dir: Path | None
    masks: int  #: masks of images of the project
    masks_read_as: MaskConvention | None  #: what their numbers mean
    layout: str | None  #: the well-known data set that the folder was recognised as
    layout_summary: str  #: that data set with its official split, in words; empty without one
    region_size: SuggestedSize  #: what regions are proposed in
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]  #: such as patients in more than one split


def create_project(
    folder: Path | str,
    *,
    images_dir: Path | str,
    classes: Sequence[str] | str,
    masks_dir: Path | str | None = None,
    find_masks: bool = False,
    settings: ImageSettings | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> CreatedProject:
    """Create a project in ``folder`` from the images below ``images_dir``.

    With masks the validation and test images are labelled at once, so that every model is
    evaluated from the first on; masks of pool images are not used until they are imported, since
    a person or a simulated annotator labels the pool. All input is checked before anything is
    written.

    Parameters
    ----------
    folder
        The project folder to create.
    images_dir
        Folder of the images, which stay where they are.
    classes
        Class names in the order of their values, or one text such as ``background,gland``.
    masks_dir
        Folder of masks; by default those of a well-known data set in its official layout.
    find_masks
        Also use masks that are found among the images or next to them.
    settings
        Splits, patients, pixel size and how masks are read.
    on_file
        Called with the number of files read so far and of all files.

    Returns
    -------
    CreatedProject
        The folder, and notes about the images.

    Raises
    ------
    ConfigError, SchemaError
        If a setting or a class name is invalid.
    ImageError
        If an image or mask cannot be read.
    MasksAmongImagesError
        If many images look like masks and ``settings.mask_like`` leaves open what they are.
    ProjectError
        If ``folder`` exists and is not empty.
    """
    settings = settings or ImageSettings()
    MaskConvention.parse(settings.masks_as)
    folder, images_dir = Path(folder), Path(images_dir)
    masks_dir = None if masks_dir is None else Path(masks_dir)
    schema = LabelSchema.from_names(_class_names(classes))
    check_folder_free(folder)
    _check_key_outside(settings.key_file, folder)
    look = inspect_folder(images_dir, sort=settings.sort_files, on_file=on_file)
    if masks_dir is not None:
        look = look.with_masks(masks_dir)
    look = _settle_mask_like(look, settings)
    if not find_masks and masks_dir is None and not look.has_official_masks:
        look = look.with_masks(None)
    images = tuple(_with_spacing(image, settings.spacing) for image in look.images)
    placements, split_notes = _placements(look, settings)
    oracle, mask_notes = _open_masks(look, images, masks_dir, schema, settings.masks_as)
    region_size = look.suggest_region_size(settings.spacing)
    names = _names(images, settings)
    groups = _group_names(placements, settings)
    project = Project.create(
        folder,
        schema=schema,
        images=[replace(image, id=names[image.id]) for image in images],
        splits={
            names[i]: replace(p, group=groups.get(p.group or "")) for i, p in placements.items()
        },
        images_dir=look.images_dir,
        masks_dir=None if oracle is None else look.masks.folder,
        key_file=settings.key_file,
        seed=settings.seed,
        region_size=region_size.size,
    )
    unmeasured = explain_missing_validation(project.images.placements().values())
    with project:
        labelled = 0 if oracle is None else _label_set_aside(project, oracle, names)
    known = set() if oracle is None else set(oracle.image_ids)
    splits = [placement.split for placement in placements.values()]
    return CreatedProject(
        folder=project.folder,
        images=len(images),
        validation_images=splits.count(Split.VALIDATION),
        validation_labelled=labelled,
        test_images=splits.count(Split.TEST),
        masks_left=sum(1 for i in known if placements[i].split is Split.POOL),
        masks_dir=None if oracle is None else look.masks.folder,
        masks=len(known),
        masks_read_as=None if oracle is None else oracle.convention,
        layout=look.layout,
        layout_summary="" if look.layout is None else look.describe_layout(),
        region_size=region_size,
        problems=look.problems,
        notes=(
            *look.notes,
            *mask_notes,
            *split_notes,
            *_notes(placements, groups),
            *([unmeasured] if unmeasured and settings.val_fraction > 0 else ()),
        ),
    )


def _class_names(classes: Sequence[str] | str) -> Sequence[str]:
    """Return the names of a list, or of a text that has commas between them."""
    if isinstance(classes, str):
        return [name.strip() for name in classes.split(",")]
    return classes


def _settle_mask_like(look: FolderReport, settings: ImageSettings) -> FolderReport:
    """Return the look once images that look like masks are known to be images or masks."""
    if not settings.sort_files or not look.needs_answer or settings.mask_like == "images":
        return look
    if settings.mask_like == "masks":
        return look.with_mask_like_as_masks()
    raise MasksAmongImagesError(f"{look.question}; choose whether they are masks or images")


def _open_masks(
    look: FolderReport,
    images: Sequence[FoundImage],
    given: Path | None,
    schema: LabelSchema,
    masks_as: str,
) -> tuple[MaskFolder | None, tuple[str, ...]]:
    """Return the masks of ``images``, and what is to be noted of them.

    All masks of a folder that was ``given`` have to fit; of those that were found, the ones that
    fit are taken.
    """
    refs = _refs(images)
    if given is not None:
        options = AnnotationOptions(masks_as, not_masks=[image.path for image in images])
        return open_masks(given, refs, schema, options), ()
    notes = tuple(f"{problem.why}; it is not used" for problem in look.masks.misfits)
    masks = look.masks.by_image
    wanted = MaskConvention.parse(masks_as)
    if not masks:
        if wanted is not None:
            raise ConfigError(f"there are no masks to read as {wanted}; name their folder")
        return None, notes
    try:
        convention = wanted or detect_convention(list(masks.values()), n_classes=len(schema))
        if convention is MaskConvention.COLOURS and wanted is None:
            note = f"masks in {look.masks.folder} are colour pictures; import them with their table"
            return None, (*notes, note)
        return read_masks(masks, refs, schema, AnnotationOptions(str(convention))), notes
    except ImageError as error:
        raise ImageError(f"{error}; or create the project without masks") from error


def _with_spacing(image: FoundImage, spacing: float | None) -> FoundImage:
    """Return an image with the spacing that a person gave, where its file has none."""
    if image.spacing is not None or spacing is None:
        return image
    if check_plausible_spacing(spacing, spacing) is None:
        raise ConfigError(f"{spacing:g} micrometres per pixel is no spacing of an image")
    return replace(image, spacing=(spacing, spacing))


def _check_key_outside(key_file: Path | None, folder: Path) -> None:
    if key_file is None:
        return
    if absolute_path(key_file).is_relative_to(absolute_path(folder)):
        raise ConfigError(f"the key {key_file} would lie in the project; keep it apart from it")
    if key_file.suffix.lower() != ".csv":
        raise ConfigError(f"the key of pseudonyms is a .csv file, not {key_file}")
    if key_file.exists():
        raise ConfigError(f"{key_file} exists; a key is written again, choose another name")


def _placements(
    look: FolderReport, settings: ImageSettings
) -> tuple[dict[str, Placement], tuple[str, ...]]:
    """Return where every image belongs, and what is to be noted of it."""
    notes: tuple[str, ...] = ()
    ids = [image.id for image in look.images]
    facts: dict[str, ImageFacts] = dict(look.facts)
    if settings.sort_files and settings.folder_splits and not facts:
        facts |= look.folder_splits
    if settings.table is not None:
        matched = match_table(settings.table, ids)
        notes += matched.notes
        for image_id, said in matched.facts.items():
            known = facts.get(image_id, ImageFacts())
            facts[image_id] = ImageFacts(said.group or known.group, said.split or known.split)
    groups = {i: fact.group for i, fact in facts.items() if fact.group}
    if settings.group_pattern is not None:
        groups |= find_groups_by_pattern(ids, settings.group_pattern)
        notes += describe_unmatched_images(ids, groups)
    official = {i: _split_of(fact.split) for i, fact in facts.items() if fact.split}
    placed = assign_splits(
        ids,
        val_fraction=settings.val_fraction,
        test_fraction=settings.test_fraction,
        seed=settings.seed,
        groups=groups,
        official=official,
    )
    return placed, notes


def _split_of(word: str) -> Split:
    if word.casefold() not in _SPLIT_WORDS:
        raise ConfigError(f"split {word!r} is unknown: {did_you_mean(word, _SPLIT_WORDS)}")
    return _SPLIT_WORDS[word.casefold()]


def _names(images: Sequence[FoundImage], settings: ImageSettings) -> dict[str, str]:
    """Return the id that each image bears in the project: its own, or a pseudonym."""
    ids = [image.id for image in images]
    if settings.key_file is None:
        return dict(zip(ids, ids, strict=True))
    return draw_pseudonyms(ids, prefix="image", seed=settings.seed)


def _group_names(placements: Mapping[str, Placement], settings: ImageSettings) -> dict[str, str]:
    groups = sorted({p.group for p in placements.values() if p.group is not None})
    if settings.key_file is None:
        return dict(zip(groups, groups, strict=True))
    return draw_pseudonyms(groups, prefix="group", seed=settings.seed)


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
        split = project.images.get_split(ref.id)
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
