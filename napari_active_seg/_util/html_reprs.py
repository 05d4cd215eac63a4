"""How a value shows itself in a notebook: the notebook's room draws it, when a cell asks.

Values of the lower rooms know no pictures. Their ``_repr_html_`` calls ``html_of``, which looks the
room up by name at that moment; where it cannot be loaded, the notebook shows the plain words.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["html_of"]


def html_of(value: object) -> str | None:
    """Return what a cell shows of ``value``; None where what draws it is not installed."""
    try:
        values = import_module("napari_active_seg.notebook.html_reprs")
    except ModuleNotFoundError:
        return None
    return str(values.html_of(value))
