"""More images for a project that is under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from napari_active_seg.errors import BadInputError
from napari_active_seg.images import (
    FoundImage,
    Problem,
    compute_fingerprint,
    find_groups_by_pattern,
)
from napari_active_seg.project import Placement, Project, Split
from napari_active_seg.session.folder_report import inspect_folder

__all__ = ["AddedImages", "add_images"]


@dataclass(frozen=True, slots=True)
class AddedImages:
    """Which images came in, which were there already, and what could not be read."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()  #: such as files of which the first plane alone is read


def add_images(
    project: Project,
    images_dir: Path,
    *,
    group_pattern: str | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> AddedImages:
    """Add the images below ``images_dir`` that the project does not have.

    The validation images stay as they were drawn: new images go to the pool, but an image of a
    patient who is set aside is set aside as well. Masks among the images, by the names of files
    and folders, are left out.
    """
    if project.config.key_file is not None:
        raise BadInputError(
            "a project with pseudonyms takes no further images: a second draw of names would say "
            "which came later. Make a new project of all images"
        )
    look = inspect_folder(images_dir, on_file=on_file)
    by_print = {ref.fingerprint: ref.id for ref in project.images.all()}
    taken = set(by_print.values())
    new: list[FoundImage] = []
    known: list[str] = []
    for image in look.images:
        if compute_fingerprint(image.path) in by_print:
            known.append(image.id)
        else:
            new.append(replace(image, id=_free_id(image.id, images_dir.name, taken)))
            taken.add(new[-1].id)
    groups = find_groups_by_pattern([i.id for i in new], group_pattern) if group_pattern else {}
    splits = {p.group: p.split for p in project.images.placements().values() if p.group}
    project.images.add(
        new,
        {
            image.id: Placement(
                splits.get(groups.get(image.id, ""), Split.POOL), groups.get(image.id), "drawn"
            )
            for image in new
        },
    )
    added = tuple(image.id for image in new)
    if added:
        project.events.add(
            "images added", annotator=project.config.annotator, facts={"images": list(added)}
        )
    return AddedImages(added, tuple(known), look.problems, look.notes)


def _free_id(image_id: str, folder: str, taken: set[str]) -> str:
    """Return the id, with its folder's name and a number before it where another image has it."""
    names = (image_id, f"{folder}/{image_id}", *(f"{folder}-{n}/{image_id}" for n in range(2, 999)))
    return next(name for name in names if name not in taken)
