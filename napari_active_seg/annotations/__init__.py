"""Labels that came from elsewhere: masks, outlines and known data sets as targets."""

from napari_active_seg.annotations.archive import unpack_archive
from napari_active_seg.annotations.layouts import Layout, describe_splits, recognise_layout
from napari_active_seg.annotations.mask_folder import MaskFolder
from napari_active_seg.annotations.masks import (
    MaskConvention,
    MaskReading,
    detect_convention,
    find_masks,
    read_mask_target,
    read_mask_values,
    shared_masks,
)
from napari_active_seg.annotations.opening import (
    AnnotationOptions,
    open_annotations,
    open_masks,
    read_masks,
)
from napari_active_seg.annotations.pairing import (
    SortedFiles,
    image_root,
    is_image_folder,
    is_mask_folder,
    pair_masks,
    sort_files,
    split_of_folders,
)
from napari_active_seg.annotations.renamed import RenamedImages
from napari_active_seg.annotations.source import (
    AnnotationSource,
    DescribesReading,
    KnowsHistory,
    PartFacts,
)

__all__ = [
    "AnnotationOptions",
    "AnnotationSource",
    "DescribesReading",
    "KnowsHistory",
    "Layout",
    "MaskConvention",
    "MaskFolder",
    "MaskReading",
    "PartFacts",
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
