"""Loads what the first project and the first figure need, before a person asks for either.

Pandas, matplotlib and the table of units take most of a second to load. On the window's thread that
is a stall; beside a file dialog nobody notices.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pint
from pint.registry import ApplicationRegistry, LazyRegistry

from napari_active_seg.gui.shell.loading import gentle_imports

__all__ = ["finish_imports", "start_imports"]

#: napari loads pandas when it makes its first layer; figures need matplotlib.
_MODULES = (
    "pandas",
    "matplotlib.backends.backend_agg",
    "napari_active_seg.figures",
    "napari_active_seg.session.trust.figures",
)
_lock = threading.Lock()


def finish_imports() -> None:
    """Return when everything is loaded. Call it from a background thread."""
    with _lock, gentle_imports():
        for name in _MODULES:
            importlib.import_module(name)
        _load_units()


def _load_units() -> None:
    """Put a registry of units in place that is complete, as napari wants at its first layer.

    The lazy one reads its table at the first question, and must not be asked by two threads.
    """
    current: ApplicationRegistry = pint.application_registry
    if isinstance(current.get(), LazyRegistry):
        complete: Any = pint.UnitRegistry()
        if isinstance(current.get(), LazyRegistry):  # nobody has used it meanwhile
            current.set(complete)


def start_imports() -> None:
    """Begin to load everything in a background thread."""
    threading.Thread(target=finish_imports, name="active-seg-imports").start()
