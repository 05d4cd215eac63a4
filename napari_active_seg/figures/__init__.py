"""What is drawn, the same in desktop, notebook and report."""

from napari_active_seg.figures.curves import draw_losses, draw_model_history
from napari_active_seg.figures.overlay import heatmap_rgb, outline_rgb
from napari_active_seg.figures.reliability import draw_reliability
from napari_active_seg.figures.report import HtmlReport, figure_png, image_png

__all__ = [
    "HtmlReport",
    "draw_losses",
    "draw_model_history",
    "draw_reliability",
    "figure_png",
    "heatmap_rgb",
    "image_png",
    "outline_rgb",
]
