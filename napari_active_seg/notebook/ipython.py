"""Registers with IPython how projects, sessions and their values are shown in a cell.

The classes themselves know nothing of notebooks. Types are registered by name, so that nothing of
theirs is imported before a cell shows one.
"""

from __future__ import annotations

from typing import Any

__all__ = ["register_html_reprs"]

_SHOWN_TYPES = (
    ("napari_active_seg.acquisition.proposal", "Proposal"),
    ("napari_active_seg.metrics.evaluation", "EvalReport"),
    ("napari_active_seg.project.project", "Project"),
    ("napari_active_seg.session.session", "Session"),
    ("napari_active_seg.uncertainty.moments", "Prediction"),
)


def register_html_reprs(formatter: Any) -> None:
    """Let IPython's formatter of ``text/html`` show our types as tables and pictures."""
    for module, name in _SHOWN_TYPES:
        formatter.for_type_by_name(module, name, _html_of)


def _html_of(value: object) -> str | None:
    """Return ``value`` as HTML; None, for its plain text, where figures are not installed."""
    try:
        from napari_active_seg.notebook.html_reprs import render_html
    except ModuleNotFoundError:
        return None
    return render_html(value)
