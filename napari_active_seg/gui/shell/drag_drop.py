"""What a folder or file is that somebody drops on the dock."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QMimeData

__all__ = ["dropped_folder", "project_in"]


def dropped_folder(data: QMimeData) -> Path | None:
    """Return the folder that is dropped, or the one of the first file; None for anything else."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    for path in paths:
        if path.is_dir():
            return path
    return paths[0].parent if paths and paths[0].is_file() else None


def project_in(folder: Path) -> Path | None:
    """Return the folder if a project lies in it."""
    return folder if (folder / "project.db").is_file() else None
