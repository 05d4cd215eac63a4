"""Images and classes of a project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_active_seg.errors import BadInputError, ImageError, did_you_mean
from napari_active_seg.images import (
    FoundImage,
    ImageRef,
    ImageSource,
    PlainImage,
    absolute_path,
    fingerprint_of,
)
from napari_active_seg.project.database import Database
from napari_active_seg.project.records import Split
from napari_active_seg.regions import LabelSchema

__all__ = ["ImagesTable", "read_schema", "write_schema"]


class ImagesTable:
    """The images of a project, in a fixed order, and where their files are."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def add(self, images: Sequence[FoundImage], splits: Mapping[str, Split]) -> None:
        """Remember ``images``; all of them or none."""
        rows = [
            (
                image.id,
                _relative(image.path, self._folder),
                *image.shape,
                *(image.spacing or (None, None)),
                fingerprint_of(image.path),
                splits[image.id],
            )
            for image in images
        ]
        with self._database.transaction() as connection:
            connection.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def all(self, split: Split | None = None) -> tuple[ImageRef, ...]:
        """Return the images, or those of one split, ordered by id."""
        rows = self._database.rows("SELECT * FROM images ORDER BY id")
        return tuple(
            ImageRef(
                row["id"],
                row["relative_path"],
                (row["height"], row["width"]),
                None if row["spacing_y"] is None else (row["spacing_y"], row["spacing_x"]),
                row["fingerprint"],
            )
            for row in rows
            if split is None or row["split"] == split
        )

    def ref(self, image_id: str) -> ImageRef:
        """Return one image, or raise BadInputError with the nearest names."""
        refs = {ref.id: ref for ref in self.all()}
        if image_id not in refs:
            raise BadInputError(f"no image {image_id!r}: {did_you_mean(image_id, refs)}")
        return refs[image_id]

    def split_of(self, image_id: str) -> Split:
        """Return what the image is for."""
        rows = self._database.rows("SELECT split FROM images WHERE id = ?", (image_id,))
        if not rows:
            raise BadInputError(f"no image {image_id!r} in this project")
        return Split(rows[0]["split"])

    def path(self, image_id: str) -> Path:
        """Return where the file should be now."""
        return absolute_path(self._folder / self.ref(image_id).relative_path)

    def source(self, image_id: str) -> ImageSource:
        """Return the image to read from; ImageError if it is gone or has another size."""
        ref, path = self.ref(image_id), self.path(image_id)
        if not path.is_file():
            raise ImageError(f"image {image_id} is missing: {path} is not there; put it back")
        source = PlainImage(path)
        if source.shape != ref.shape:
            raise ImageError(
                f"image {image_id} is now {source.shape[0]} x {source.shape[1]} but was "
                f"{ref.shape[0]} x {ref.shape[1]} when the project began; put the old file back"
            )
        return source


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def write_schema(database: Database, schema: LabelSchema) -> None:
    """Store the classes; a class keeps its number whatever later happens to its name."""
    rows = [
        (position, name, colour, position)
        for position, (name, colour) in enumerate(zip(schema.names, schema.colours, strict=True))
    ]
    with database.transaction() as connection:
        connection.executemany("INSERT INTO classes VALUES (?, ?, ?, ?)", rows)


def read_schema(database: Database) -> LabelSchema:
    """Return the classes in their order."""
    rows = database.rows("SELECT name, colour FROM classes ORDER BY position")
    return LabelSchema(tuple(r["name"] for r in rows), tuple(r["colour"] for r in rows))
