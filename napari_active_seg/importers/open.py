"""Opening folders and files of labels with the reader of their format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_active_seg.errors import AnnotationError, ConfigError
from napari_active_seg.images import ImageRef
from napari_active_seg.importers.coco import is_coco, read_coco
from napari_active_seg.importers.colour_table import get_colour_table, read_colour_table
from napari_active_seg.importers.geojson import GEOJSON_SUFFIXES, find_geojson, read_geojson
from napari_active_seg.importers.json_file import read_json
from napari_active_seg.importers.mask_folder import MaskFolder, list_masks
from napari_active_seg.importers.masks import (
    MaskConvention,
    MaskReading,
    detect_convention,
)
from napari_active_seg.importers.name_matching import ClassNames, index_images_by_name
from napari_active_seg.importers.own_export import ExportedFolder, is_exported
from napari_active_seg.importers.polygon_annotations import OutlinedImages
from napari_active_seg.importers.source import AnnotationSource
from napari_active_seg.importers.tool_layouts import open_other_layout
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["AnnotationOptions", "open_annotations", "open_masks", "read_masks"]


@dataclass(frozen=True, slots=True)
class AnnotationOptions:
    """How labels from elsewhere are to be read, where their format leaves that open.

    ``convention`` is auto or one of the mask conventions; ``ignore`` are mask values that mean
    "not labelled"; ``rest`` is the class of what no outline holds (None: not labelled, but the
    first class for COCO files that have no category of its name); ``renamed`` maps names in the
    file to the project's; ``not_masks`` are files that are not masks, such as the project's images.
    """

    convention: str = "auto"
    ignore: tuple[int, ...] = ()
    colours: Path | None = None
    rest: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    not_masks: Collection[Path] = ()


def open_annotations(
    path: Path, images: tuple[ImageRef, ...], schema: LabelSchema, options: AnnotationOptions
) -> AnnotationSource:
    """Return the labels in ``path`` for those of ``images`` that they are about.

    A data set that was exported; a folder of nnU-Net, MONAI, Labelme or YOLO; a folder of masks; a
    GeoJSON file or a folder of them; a COCO file. A convention is for masks alone.
    """
    wanted = MaskConvention.parse(options.convention)
    source = _open(path, images, schema, options)
    if wanted is not None and not isinstance(source, MaskFolder):
        raise ConfigError(
            f"the labels in {path.name} are not a folder of masks, so that they cannot be read as "
            f"{wanted}; leave that out"
        )
    return source


def _open(
    path: Path, images: tuple[ImageRef, ...], schema: LabelSchema, options: AnnotationOptions
) -> AnnotationSource:
    if not path.exists():
        raise AnnotationError(f"nothing is at {path}; name a folder of masks, GeoJSON or COCO")
    names = ClassNames(schema, options.renamed)
    by_name = index_images_by_name(ref.id for ref in images)
    if is_exported(path):
        return ExportedFolder(path, names, by_name)
    if path.is_dir() and not any(path.rglob("*.geojson")):
        rest = None if options.rest is None else schema.index(options.rest)
        other = open_other_layout(path, images, names, by_name, rest=rest)
        return other or open_masks(path, images, schema, options)
    if path.is_file() and path.name.lower().endswith(".json") and is_coco(read_json(path)):
        return _coco(path, images, names, by_name, options)
    if path.is_dir() or path.name.lower().endswith(GEOJSON_SUFFIXES):
        files = find_geojson(path, by_name)
        if not files:
            raise AnnotationError(
                f"no GeoJSON in {path} has the name of an image (such as {images[0].id})"
            )
        outlines = {i: read_geojson(file, names) for i, file in files.items()}
        rest = UNLABELLED if options.rest is None else schema.index(options.rest)
        sizes = {ref.id: ref.shape for ref in images}
        return OutlinedImages.checked(outlines, sizes, where=path.name, rest=rest)
    raise AnnotationError(
        f"{path.name} is not a known file of labels; want a folder of masks, .geojson, a "
        "COCO .json, or a .zip of them"
    )


def open_masks(
    folder: Path, images: tuple[ImageRef, ...], schema: LabelSchema, options: AnnotationOptions
) -> MaskFolder:
    """Return the masks in ``folder`` of those of ``images`` that have one."""
    MaskConvention.parse(options.convention)
    masks = list_masks(images, folder, not_masks=options.not_masks)
    return read_masks(masks, images, schema, options)


def read_masks(
    masks: Mapping[str, Path],
    images: tuple[ImageRef, ...],
    schema: LabelSchema,
    options: AnnotationOptions,
) -> MaskFolder:
    """Return ``masks`` by image, in the convention of the options or in the one that they show."""
    convention = MaskConvention.parse(options.convention)
    if options.colours is not None:
        convention = MaskConvention.COLOURS
    elif convention is None:
        paths = list(masks.values())
        convention = detect_convention(paths, n_classes=len(schema), ignore=options.ignore)
    colours = None
    if convention is MaskConvention.COLOURS:
        table = options.colours
        colours = get_colour_table(schema) if table is None else read_colour_table(table, schema)
    return MaskFolder.checked(masks, images, MaskReading(convention, options.ignore, colours))


def _coco(
    path: Path,
    images: tuple[ImageRef, ...],
    names: ClassNames,
    by_name: dict[str, str],
    options: AnnotationOptions,
) -> OutlinedImages:
    sizes = {ref.id: ref.shape for ref in images}
    shapes = read_coco(path, names, by_name, sizes)
    if not shapes:
        raise AnnotationError(f"{path.name} is about none of the project's images")
    schema = names.schema
    if options.rest is not None:
        rest = schema.index(options.rest)
    else:  # objects are all that COCO holds: what is none of them is the class without objects
        used = {drawn.value for found in shapes.values() for drawn in found}
        rest = UNLABELLED if 0 in used else 0
    return OutlinedImages.checked(shapes, sizes, where=path.name, rest=rest)
