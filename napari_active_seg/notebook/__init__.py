"""What a notebook shows: values as pictures and tables, bars, and a place to paint in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_active_seg.notebook.annotator import RegionAnnotator, annotate
    from napari_active_seg.notebook.display import show_figures, show_image, show_project
    from napari_active_seg.notebook.html_reprs import render_html

__all__ = [
    "RegionAnnotator",
    "annotate",
    "render_html",
    "show_figures",
    "show_image",
    "show_project",
]

_HOMES = {
    "RegionAnnotator": "annotator",
    "annotate": "annotator",
    "render_html": "html_reprs",
    "show_figures": "display",
    "show_image": "display",
    "show_project": "display",
}


def __getattr__(name: str) -> object:
    """Fetch a name when it is first used: sessions look in here, and need no figures for it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
