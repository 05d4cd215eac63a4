"""Pictures in: any readable file as RGB windows, masks as targets, and where the tissue is."""

from napari_active_seg.images.masks import (
    MaskConvention,
    detect_convention,
    find_masks,
    read_mask_target,
)
from napari_active_seg.images.plain import PlainImage, read_rgb
from napari_active_seg.images.ref import ImageRef, absolute_path, fingerprint_of
from napari_active_seg.images.scan import FoundImage, Problem, ScanResult, scan_folder
from napari_active_seg.images.source import ImageSource
from napari_active_seg.images.tissue import tissue_mask

__all__ = [
    "FoundImage",
    "ImageRef",
    "ImageSource",
    "MaskConvention",
    "PlainImage",
    "Problem",
    "ScanResult",
    "absolute_path",
    "detect_convention",
    "find_masks",
    "fingerprint_of",
    "read_mask_target",
    "read_rgb",
    "scan_folder",
    "tissue_mask",
]
