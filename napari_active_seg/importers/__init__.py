"""Import of labels: masks, outlines and known data sets as targets."""

from napari_active_seg.importers.archive import unpack_archive
from napari_active_seg.importers.known_datasets import Layout, describe_splits, recognise_layout
from napari_active_seg.importers.mask_folder import MaskFolder
from napari_active_seg.importers.masks import (
    MaskConvention,
    MaskReading,
    detect_convention,
    find_masks,
    read_mask_target,
    read_mask_values,
    shared_masks,
)
from napari_active_seg.importers.open import (
    AnnotationOptions,
    open_annotations,
    open_masks,
    read_masks,
)
from napari_active_seg.importers.pairing import (
    SortedFiles,
    image_root,
    is_image_folder,
    is_mask_folder,
    pair_masks,
    sort_files,
    split_of_folders,
)
from napari_active_seg.importers.pseudonymized import RenamedImages
from napari_active_seg.importers.source import (
    AnnotationSource,
    DescribesReading,
    HasProvenance,
    Provenance,
)

__all__ = [
    "AnnotationOptions",
    "AnnotationSource",
    "DescribesReading",
    "HasProvenance",
    "Layout",
    "MaskConvention",
    "MaskFolder",
    "MaskReading",
    "Provenance",
    "RenamedImages",
    "SortedFiles",
    "describe_splits",
    "detect_convention",
    "find_masks",
    "image_root",
    "is_image_folder",
    "is_mask_folder",
    "open_annotations",
    "open_masks",
    "pair_masks",
    "read_mask_target",
    "read_mask_values",
    "read_masks",
    "recognise_layout",
    "shared_masks",
    "sort_files",
    "split_of_folders",
    "unpack_archive",
]
