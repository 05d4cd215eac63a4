"""Regions of images, the classes of a project, and conversion of paint to targets."""

from napari_active_seg.regions.background import find_background
from napari_active_seg.regions.class_registry import ClassRegistry
from napari_active_seg.regions.contour_target import make_contour_target
from napari_active_seg.regions.coverage import Coverage, count_labelled_pixels, count_pixels
from napari_active_seg.regions.label import (
    LABEL_STARTS,
    Effort,
    RegionLabel,
    RegionState,
    find_strongest_start,
)
from napari_active_seg.regions.masked_region import (
    MaskedRegion,
    RegionShape,
    fill_outside_shape,
    make_mask,
)
from napari_active_seg.regions.region import Region, union_area
from napari_active_seg.regions.schema import LabelSchema
from napari_active_seg.regions.suggested_size import (
    REGION_SIZES,
    SuggestedSize,
    measure_mixed_squares,
    suggest_region_size,
)
from napari_active_seg.regions.targets import (
    UNLABELLED,
    check_target,
    paint_to_target,
    target_to_paint,
)
from napari_active_seg.regions.tiling import Tile, blend_window, tile_grid

__all__ = [
    "LABEL_STARTS",
    "REGION_SIZES",
    "UNLABELLED",
    "ClassRegistry",
    "Coverage",
    "Effort",
    "LabelSchema",
    "MaskedRegion",
    "Region",
    "RegionLabel",
    "RegionShape",
    "RegionState",
    "SuggestedSize",
    "Tile",
    "blend_window",
    "check_target",
    "count_labelled_pixels",
    "count_pixels",
    "fill_outside_shape",
    "find_background",
    "find_strongest_start",
    "make_contour_target",
    "make_mask",
    "measure_mixed_squares",
    "paint_to_target",
    "suggest_region_size",
    "target_to_paint",
    "tile_grid",
    "union_area",
]
