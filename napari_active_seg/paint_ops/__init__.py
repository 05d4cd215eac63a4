"""What a person's tools make of a stroke: fill what is alike, snap, smooth, clean."""

from napari_active_seg.paint_ops.brush import along_stroke
from napari_active_seg.paint_ops.cleanup import smoothed, without_specks
from napari_active_seg.paint_ops.lasso import inside_lasso
from napari_active_seg.paint_ops.magic_wand import AlikePixels
from napari_active_seg.paint_ops.snap import snapped

__all__ = [
    "AlikePixels",
    "along_stroke",
    "inside_lasso",
    "smoothed",
    "snapped",
    "without_specks",
]
