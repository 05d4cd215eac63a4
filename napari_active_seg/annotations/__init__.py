"""Labels that came from elsewhere: masks, outlines and known data sets as targets."""

from napari_active_seg.annotations.archive import unpack_archive
from napari_active_seg.annotations.layouts import Layout, recognise_layout
from napari_active_seg.annotations.mask_folder import MaskFolder
from napari_active_seg.annotations.masks import (
    MaskConvention,
    MaskReading,
    detect_convention,
    find_masks,
    read_mask_target,
)
from napari_active_seg.annotations.opening import AnnotationOptions, open_annotations
from napari_active_seg.annotations.renamed import RenamedImages
from napari_active_seg.annotations.source import AnnotationSource, KnowsHistory, PartFacts

__all__ = [
    "AnnotationOptions",
    "AnnotationSource",
    "KnowsHistory",
    "Layout",
    "MaskConvention",
    "MaskFolder",
    "MaskReading",
    "PartFacts",
    "RenamedImages",
    "detect_convention",
    "find_masks",
    "open_annotations",
    "read_mask_target",
    "recognise_layout",
    "unpack_archive",
]
