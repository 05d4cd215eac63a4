"""Keys under which layers carry our facts, shared by the reader and the dock."""

from __future__ import annotations

__all__ = ["PROJECT_KEY"]

#: A layer that the reader made from a project folder carries the folder under this key.
PROJECT_KEY = "napari_active_seg_project"
