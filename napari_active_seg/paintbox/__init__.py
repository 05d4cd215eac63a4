"""What a person's tools make of a stroke: fill what is alike, snap, smooth, clean."""

from napari_active_seg.paintbox.alike import AlikePixels
from napari_active_seg.paintbox.brush import along_stroke
from napari_active_seg.paintbox.edges import snapped
from napari_active_seg.paintbox.lasso import inside_lasso
from napari_active_seg.paintbox.tidying import smoothed, without_specks

__all__ = [
    "AlikePixels",
    "along_stroke",
    "inside_lasso",
    "smoothed",
    "snapped",
    "without_specks",
]
