"""What is drawn, the same in desktop, notebook and report."""

from napari_active_seg.figures.curves import (
    Curve,
    draw_curves,
    draw_grouped_panels,
    draw_groups,
    draw_learning_curve,
    draw_losses,
    draw_model_history,
    draw_panels,
)
from napari_active_seg.figures.overlay import heatmap_rgb, outline_rgb, painted_rgb
from napari_active_seg.figures.reliability import draw_reliability
from napari_active_seg.figures.report import Report, figure_png, image_jpeg, image_png
from napari_active_seg.figures.trade_off import Mark, draw_trade_off
from napari_active_seg.figures.uncertainty import (
    draw_errors_by_uncertainty,
    draw_selected_and_rest,
    draw_sparsification,
)

__all__ = [
    "Curve",
    "Mark",
    "Report",
    "draw_curves",
    "draw_errors_by_uncertainty",
    "draw_grouped_panels",
    "draw_groups",
    "draw_learning_curve",
    "draw_losses",
    "draw_model_history",
    "draw_panels",
    "draw_reliability",
    "draw_selected_and_rest",
    "draw_sparsification",
    "draw_trade_off",
    "figure_png",
    "heatmap_rgb",
    "image_jpeg",
    "image_png",
    "outline_rgb",
    "painted_rgb",
]
