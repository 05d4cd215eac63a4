"""Active learning for medical image segmentation, inside napari.

Importing the package loads neither torch nor Qt; names below are fetched when first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from napari_active_seg._version import __version__

if TYPE_CHECKING:
    from napari_active_seg.api import create_project, open_session
    from napari_active_seg.project import Project
    from napari_active_seg.regions import LabelSchema, Region
    from napari_active_seg.session import Session

__all__ = [
    "LabelSchema",
    "Project",
    "Region",
    "Session",
    "__version__",
    "create_project",
    "open_session",
]

_HOMES = {
    "LabelSchema": "napari_active_seg.regions",
    "Project": "napari_active_seg.project",
    "Region": "napari_active_seg.regions",
    "Session": "napari_active_seg.session",
    "create_project": "napari_active_seg.api",
    "open_session": "napari_active_seg.api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)


def _register_with_ipython() -> None:
    """Show our types as HTML where this package is imported in a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None and shell.display_formatter is not None:
        from napari_active_seg.notebook.ipython import register_html_reprs

        register_html_reprs(shell.display_formatter.formatters["text/html"])


_register_with_ipython()
