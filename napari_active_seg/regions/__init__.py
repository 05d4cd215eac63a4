"""Places in an image, the classes that can be painted there, and what paint means."""

from napari_active_seg.regions.background import find_background
from napari_active_seg.regions.class_registry import ClassRegistry
from napari_active_seg.regions.contour_target import contour_target
from napari_active_seg.regions.coverage import Coverage, count_labelled_pixels, count_pixels
from napari_active_seg.regions.label import (
    BEGINNINGS,
    Effort,
    RegionLabel,
    RegionState,
    strongest_beginning,
)
from napari_active_seg.regions.masked_region import (
    MaskedRegion,
    RegionShape,
    inside_shape,
    mask_of_places,
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
    "BEGINNINGS",
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
    "contour_target",
    "count_labelled_pixels",
    "count_pixels",
    "find_background",
    "inside_shape",
    "mask_of_places",
    "measure_mixed_squares",
    "paint_to_target",
    "strongest_beginning",
    "suggest_region_size",
    "target_to_paint",
    "tile_grid",
    "union_area",
]
