"""Where nothing is written to: the project's own folder, images and masks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from napari_active_seg.errors import BadInputError, ImageError
from napari_active_seg.project import Project

__all__ = ["check_output_folder"]


def check_output_folder(project: Project, out: Path, *, source: Path | None = None) -> None:
    """Raise BadInputError where ``out`` is, holds or lies in a folder that the project reads.

    An export may replace its folder or set it aside, and what it writes among images would be
    taken for images. ``source`` is a further folder that is read.
    """
    place = out.resolve()
    for folder, what in _folders_read(project, source):
        if place == folder:
            where = "is"
        elif place in folder.parents:
            where = "holds"
        elif folder in place.parents:
            where = "lies in"
        else:
            continue
        raise BadInputError(
            f"{out} {where} {what} ({folder}); nothing was written. Choose a folder outside of it"
        )


def _folders_read(project: Project, source: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield each folder once, with what it is."""
    yield project.folder.resolve(), "the project's folder"
    parents = set()
    for ref in project.images.all():
        with contextlib.suppress(ImageError):  # known to a key file that is not there
            parents.add(project.images.path(ref.id).resolve().parent)
    yield from ((folder, "a folder of the project's images") for folder in sorted(parents))
    if project.config.masks_dir is not None:
        yield Path(project.config.masks_dir).resolve(), "the folder of the project's masks"
    if source is not None:
        yield source.resolve(), "the folder of the images to predict"
