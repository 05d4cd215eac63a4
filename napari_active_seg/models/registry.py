"""Networks of other packages: by an entry point, or by a path in the environment.

A project only *names* a network. What a name stands for is decided by what is installed and by
the person's own environment, so that opening a stranger's project runs none of its code.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from napari_active_seg.errors import ConfigError, ModelError

__all__ = ["get_registered_builder", "list_registered_networks"]

_GROUP = "napari_active_seg.networks"
#: name=path/to/file.py:function, several separated by semicolons.
_VARIABLE = "NAPARI_ACTIVE_SEG_NETWORKS"


def list_registered_networks() -> tuple[str, ...]:
    """Return the registered names, without importing their networks."""
    return tuple(sorted({*_entry_points(), *_paths()}))


def get_registered_builder(name: str) -> Callable[[int], Any]:
    """Return the function that builds the network called ``name`` for a number of classes.

    Raises ModelError if its code cannot be imported or holds no such function.
    """
    paths, points = _paths(), _entry_points()
    if name not in paths and name not in points:
        raise ConfigError(
            f"no network is registered as {name!r}; set {_VARIABLE}=NAME=FILE:FUNCTION"
        )
    try:
        found = _from_path(name, *paths[name]) if name in paths else points[name].load()
    except Exception as error:
        raise ModelError(f"the network {name!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ModelError(f"the network {name!r} is registered as {found!r}, which makes nothing")
    made: Callable[[int], Any] = found
    return made


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """Return what is installed; looked up once, since it reads files of every package."""
    return {point.name: point for point in entry_points(group=_GROUP)}


def _paths() -> dict[str, tuple[Path, str]]:
    """Return file and function of each name in the environment."""
    found: dict[str, tuple[Path, str]] = {}
    for item in os.environ.get(_VARIABLE, "").split(";"):
        if not item.strip():
            continue
        name, _, place = item.strip().partition("=")
        path, _, function = place.rpartition(":")
        if not name or not path or not function:
            raise ConfigError(f"{_VARIABLE} holds {item!r}; write NAME=FILE:FUNCTION")
        found[name] = (Path(path).expanduser(), function)
    return found


def _from_path(name: str, path: Path, function: str) -> object:
    spec = importlib.util.spec_from_file_location(f"napari_active_seg_network_{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ModelError(f"no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, function)
