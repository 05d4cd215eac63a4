"""Pictures in: any readable file as RGB windows, masks as targets, and where the tissue is."""

from napari_active_seg.images.lazy import LevelArray, lazy_levels
from napari_active_seg.images.masks import (
    MaskConvention,
    detect_convention,
    find_masks,
    read_mask_target,
)
from napari_active_seg.images.opening import candidate_files, open_image
from napari_active_seg.images.plain import PlainImage, read_rgb
from napari_active_seg.images.ref import ImageRef, absolute_path, fingerprint_of
from napari_active_seg.images.scan import FoundImage, Problem, ScanResult, scan_folder
from napari_active_seg.images.slide import SlideImage
from napari_active_seg.images.source import ImageSource
from napari_active_seg.images.tissue import tissue_at_low_level, tissue_mask

__all__ = [
    "FoundImage",
    "ImageRef",
    "ImageSource",
    "LevelArray",
    "MaskConvention",
    "PlainImage",
    "Problem",
    "ScanResult",
    "SlideImage",
    "absolute_path",
    "candidate_files",
    "detect_convention",
    "find_masks",
    "fingerprint_of",
    "lazy_levels",
    "open_image",
    "read_mask_target",
    "read_rgb",
    "scan_folder",
    "tissue_at_low_level",
    "tissue_mask",
]
