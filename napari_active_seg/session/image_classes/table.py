"""Classes of images from and to tables that other programs read."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from napari_active_seg.errors import ConfigError
from napari_active_seg.project import CANT_TELL
from napari_active_seg.session.image_classes.service import NO_DIAGNOSIS, ImageClassService

__all__ = ["read_image_classes", "write_image_classes"]

#: What the columns of other programs are called: the image, and what it is.
_IMAGE = ("image", "image_id", "image_name", "name", "file")
_CLASS = ("image_class", "class", "diagnosis", "label", "target")


def read_image_classes(path: Path, image_ids: Collection[str]) -> dict[str, str | None]:
    """Return what a CSV says of images of ``image_ids``; None where it says "can't tell".

    Images are found by name with or without ending; others in the table, and rows without a class,
    are left out. ConfigError where columns are missing, no image is known, a name could mean
    several images, or an image has two classes.
    """
    by_name = {image_id: [image_id] for image_id in image_ids}
    for image_id in image_ids:
        found_by = by_name.setdefault(Path(image_id).stem, [])
        if image_id not in found_by:
            found_by.append(image_id)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as a table: {error}") from error
    head = rows[0].keys() if rows else ()
    image, name = (next((c for c in known if c in head), None) for known in (_IMAGE, _CLASS))
    if image is None or name is None:
        raise ConfigError(
            f"{path} needs a column {' or '.join(_IMAGE[:2])} and one {' or '.join(_CLASS[:3])}"
        )
    found: dict[str, str | None] = {}
    for row in rows:
        said = (row[name] or "").strip()
        if row[image] not in by_name or not said:
            continue
        image_id, *others = by_name[row[image]]
        if others:
            raise ConfigError(
                f"{row[image]!r} in {path} could mean {', '.join((image_id, *others))}; write the "
                "whole name of the image"
            )
        value = None if said == CANT_TELL else said
        if found.setdefault(image_id, value) != value:
            raise ConfigError(
                f"{path} has two classes for {image_id}: {found[image_id] or CANT_TELL}, and "
                f"{said}; keep the row that is right"
            )
    if not found:
        raise ConfigError(f"no image of {path} is in this project, such as {rows[0][image]}")
    return found


def write_image_classes(path: Path, service: ImageClassService, image_ids: Collection[str]) -> None:
    """Write what was said of each image, and how probable each class is to the second head."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        shares = [f"second head: {name} ({NO_DIAGNOSIS})" for name in service.classes]
        writer.writerow(("image", "image_class", "annotator", "active_s", *shares))
        for image_id in image_ids:
            answer, opinion = service.answers().get(image_id), service.opinion(image_id) or {}
            told = [f"{opinion[name]:.4f}" if name in opinion else "" for name in service.classes]
            said = ("", "", "")
            if answer is not None:
                said = (answer.name or CANT_TELL, answer.annotator, f"{answer.seconds:g}")
            writer.writerow((image_id, *said, *told))
