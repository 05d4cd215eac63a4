"""Reading images: any readable file as RGB windows, metadata, and tissue masks."""

from napari_active_seg.images.downsample import coarse_window, picture_at_step, read_coarse_view
from napari_active_seg.images.folder_scan import (
    FoundImage,
    Problem,
    ScanResult,
    scan_files,
    scan_folder,
)
from napari_active_seg.images.image_ref import (
    ImageRef,
    absolute_path,
    compute_fingerprint,
    file_stamp,
)
from napari_active_seg.images.in_memory import (
    PICTURE_SUFFIXES,
    TIFF_SUFFIXES,
    PlainImage,
    picture_shape,
    read_array,
    read_rgb,
)
from napari_active_seg.images.lazy import LevelArray, open_lazy_levels
from napari_active_seg.images.metadata_table import (
    ImageFacts,
    MatchedTable,
    describe_unmatched_images,
    find_groups_by_pattern,
    get_image_facts,
    match_table,
    read_image_table,
)
from napari_active_seg.images.near_duplicates import (
    NearCopy,
    PerceptualHash,
    find_near_copies,
    perceptual_hash,
)
from napari_active_seg.images.open import candidate_files, open_image
from napari_active_seg.images.pillow_reader import PICTURE_FORMATS, open_picture
from napari_active_seg.images.pixel_size import check_plausible_spacing
from napari_active_seg.images.planes import count_planes, describe_planes
from napari_active_seg.images.slide import SlideImage
from napari_active_seg.images.source import ImageSource, is_read_whole, map_step, read_whole
from napari_active_seg.images.tiff_level import FileBytes, TiffLevel
from napari_active_seg.images.tissue import find_tissue, tissue_mask

__all__ = [
    "PICTURE_FORMATS",
    "PICTURE_SUFFIXES",
    "TIFF_SUFFIXES",
    "FileBytes",
    "FoundImage",
    "ImageFacts",
    "ImageRef",
    "ImageSource",
    "LevelArray",
    "MatchedTable",
    "NearCopy",
    "PerceptualHash",
    "PlainImage",
    "Problem",
    "ScanResult",
    "SlideImage",
    "TiffLevel",
    "absolute_path",
    "candidate_files",
    "check_plausible_spacing",
    "coarse_window",
    "compute_fingerprint",
    "count_planes",
    "describe_planes",
    "describe_unmatched_images",
    "file_stamp",
    "find_groups_by_pattern",
    "find_near_copies",
    "find_tissue",
    "get_image_facts",
    "is_read_whole",
    "map_step",
    "match_table",
    "open_image",
    "open_lazy_levels",
    "open_picture",
    "perceptual_hash",
    "picture_at_step",
    "picture_shape",
    "read_array",
    "read_coarse_view",
    "read_image_table",
    "read_rgb",
    "read_whole",
    "scan_files",
    "scan_folder",
    "tissue_mask",
]
