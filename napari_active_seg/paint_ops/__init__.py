"""Operations of paint tools: brush, lasso, magic wand, snapping, smoothing and cleaning."""

from napari_active_seg.paint_ops.brush import stroke_mask
from napari_active_seg.paint_ops.cleanup import remove_small_regions, smooth_mask
from napari_active_seg.paint_ops.lasso import lasso_mask
from napari_active_seg.paint_ops.magic_wand import MagicWand
from napari_active_seg.paint_ops.snap import snap_to_edges

__all__ = [
    "MagicWand",
    "lasso_mask",
    "remove_small_regions",
    "smooth_mask",
    "snap_to_edges",
    "stroke_mask",
]
