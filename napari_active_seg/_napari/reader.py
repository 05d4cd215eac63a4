"""napari's reader of project folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_active_seg.gui.layers.metadata_keys import PROJECT_KEY
from napari_active_seg.project import Project

LayerData = tuple[Any, dict[str, Any], str]

__all__ = ["project_reader"]


def project_reader(
    path: str | list[str],
) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return a reader if ``path`` is a project folder or its project.json (npe2's convention).

    A drop with Shift held comes as a list of one.
    """
    if not isinstance(path, str) and len(path) != 1:
        return None
    return _read_project if (_project_folder(path) / "project.db").is_file() else None


def _project_folder(path: str | list[str]) -> Path:
    given = Path(path if isinstance(path, str) else path[0])
    return given.parent if given.name == "project.json" else given


def _read_project(path: str | list[str]) -> list[LayerData]:
    """Return the first image of a project; the dock opens the project when it sees the layer."""
    with Project.open(_project_folder(path), read_only=True) as project:
        missing = set(project.images.missing())
        there = [ref.id for ref in project.images.all() if ref.id not in missing]
        name, pixels = project.config.name, np.zeros((16, 16, 3), np.uint8)
        if there:
            source = project.images.source(there[0])
            lowest = len(source.level_shapes) - 1
            name, pixels = there[0], source.read(lowest, 0, 0, *source.level_shapes[lowest])
        facts = {"name": name, "rgb": True, "metadata": {PROJECT_KEY: str(project.folder)}}
    return [(pixels, facts, "image")]
