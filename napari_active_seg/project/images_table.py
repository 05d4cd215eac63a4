"""The images of a project: where their files are, what they are for, and where their tissue is."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import BadInputError, ImageError, MissingImageError, did_you_mean
from napari_active_seg.images import (
    FoundImage,
    ImageRef,
    ImageSource,
    absolute_path,
    check_plausible_spacing,
    compute_fingerprint,
    file_stamp,
    find_tissue,
    open_image,
)
from napari_active_seg.project.database import Database
from napari_active_seg.project.pseudonym_key import KeyFile
from napari_active_seg.project.records import Placement, Split
from napari_active_seg.project.safe_names import safe_image_id
from napari_active_seg.project.serialization import target_from_blob, target_to_blob

__all__ = ["ImagesTable", "relative_to"]


class ImagesTable:
    """The images of a project, in a fixed order."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        clock: Callable[[], float],
        key: KeyFile | None = None,
        checked: Path | None = None,
    ) -> None:
        """``checked`` is the file that keeps when images were last found unchanged."""
        self._checked = checked
        self._database = database
        self._folder = folder
        self._clock = clock
        self._key = key

    # --- what is known -----------------------------------------------------------------------

    def add(self, images: Sequence[FoundImage], placements: Mapping[str, Placement]) -> None:
        """Remember ``images``; all of them or none."""
        rows = [
            (
                image.id,
                "" if self._key else relative_to(self._folder, image.path),
                *image.shape,
                *(image.spacing or (None, None)),
                compute_fingerprint(image.path),
                placements[image.id].split,
                placements[image.id].group,
                placements[image.id].split_from,
                image.white,
            )
            for image in images
        ]
        if self._key is not None:
            self._key.write({**self._key.read(), **{image.id: image.path for image in images}})
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO images (id, relative_path, height, width, spacing_y, spacing_x, "
                "fingerprint, split, group_name, split_from, white) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def all(self, split: Split | None = None) -> tuple[ImageRef, ...]:
        """Return the images, or those of one split, ordered by id."""
        rows = self._database.rows("SELECT * FROM images ORDER BY id")
        return tuple(_ref(row) for row in rows if split is None or row["split"] == split)

    def ref(self, image_id: str) -> ImageRef:
        """Return one image, or raise BadInputError with the nearest names."""
        return _ref(self._row(image_id))

    def placement(self, image_id: str) -> Placement:
        """Return what the image is for, and the patient or slide that it is of."""
        row = self._row(image_id)
        return Placement(Split(row["split"]), row["group_name"], row["split_from"])

    def get_split(self, image_id: str) -> Split:
        """Return what the image is for."""
        return self.placement(image_id).split

    def placements(self) -> dict[str, Placement]:
        """Return the placement of every image."""
        rows = self._database.rows("SELECT id, split, group_name, split_from FROM images")
        return {
            row["id"]: Placement(Split(row["split"]), row["group_name"], row["split_from"])
            for row in rows
        }

    # --- files -------------------------------------------------------------------------------

    def path(self, image_id: str) -> Path:
        """Return where the file should be now."""
        row = self._row(image_id)
        if self._key is None:
            return absolute_path(self._folder / row["relative_path"])
        path = self._key.read().get(image_id)
        if path is None:
            raise MissingImageError(
                f"image {image_id} bears a pseudonym, and its key {self._key.path} is not here or "
                "does not know it; put the key back, or let the images be found again"
            )
        return path

    def source(self, image_id: str) -> ImageSource:
        """Return the image to read from; ImageError if it is gone or has another size."""
        row, path = self._row(image_id), self.path(image_id)
        if not path.exists():
            raise MissingImageError(
                f"image {image_id} is missing: {path} is not there; put it back, or let it be "
                "found again where it is now"
            )
        source = open_image(path, white=row["white"])
        if source.shape != (row["height"], row["width"]):
            raise ImageError(
                f"image {image_id} is now {source.shape[0]} x {source.shape[1]} but was "
                f"{row['height']} x {row['width']} when the project began; put the old file back"
            )
        return source

    def file_names(self) -> dict[str, str]:
        """Return the name of each image in files of labels: its id, or its name in the key."""
        if self._key is None:
            return {ref.id: ref.id for ref in self.all()}
        return {image_id: path.name for image_id, path in self._key.read().items()}

    def missing(self) -> tuple[str, ...]:
        """Return the images whose files are not where they should be."""
        if self._key is not None:
            known = {i: path for i, path in self._key.read().items() if path.exists()}
            return tuple(ref.id for ref in self.all() if ref.id not in known)
        return tuple(
            ref.id for ref in self.all() if not (self._folder / ref.relative_path).exists()
        )

    def find_changed(
        self, image_ids: Iterable[str], *, on_image: Callable[[int], None] | None = None
    ) -> tuple[str, ...]:
        """Return those images whose files hold another picture of the same size than before.

        A file is read only where its size or times are others than when it was last found
        unchanged. Files that are missing, cannot be read or have another size in pixels are left
        out: `source` refuses them.
        """
        before = self._read_checked()
        now, changed = dict(before), []
        for number, image_id in enumerate(image_ids):
            if on_image is not None:
                on_image(number)
            wanted = self.ref(image_id).fingerprint
            try:
                path = self.path(image_id)
                stamp = file_stamp(path)
                known = None if stamp is None else [wanted, *stamp]
                if known is not None and before.get(image_id) == known:
                    continue
                same = compute_fingerprint(path) == wanted
                if not same:
                    _ = self.source(image_id)
            except ImageError:
                continue  # reading it raises the error
            if not same:
                changed.append(image_id)
                now.pop(image_id, None)
            elif known is not None:
                now[image_id] = known
        if now != before:
            self._write_checked(now)
        return tuple(changed)

    def accept_changed(self, image_ids: Sequence[str]) -> None:
        """Take the files of images as they are now; ImageError where one has another size."""
        prints = []
        for image_id in image_ids:
            _ = self.source(image_id)
            prints.append((compute_fingerprint(self.path(image_id)), image_id))
        with self._database.transaction() as connection:
            connection.executemany("UPDATE images SET fingerprint = ? WHERE id = ?", prints)

    def _read_checked(self) -> dict[str, list[object]]:
        """Return fingerprint, size and times of files that were found unchanged."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            if self._checked is not None:
                return dict(json.loads(self._checked.read_text(encoding="utf-8")))
        return {}

    def _write_checked(self, checked: Mapping[str, Sequence[object]]) -> None:
        if self._checked is None:
            return
        with (
            contextlib.suppress(OSError),  # all are read again next time
            atomic_write(self._checked, root=self._folder) as begun,
        ):
            begun.write_text(json.dumps(checked), encoding="utf-8")

    def move(self, found: Mapping[str, Path]) -> None:
        """Remember where the files of images are from now on."""
        if self._key is not None:
            self._key.write({**self._key.read(), **found})
            return
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE images SET relative_path = ? WHERE id = ?",
                [(relative_to(self._folder, path), i) for i, path in found.items()],
            )

    def set_spacing(self, spacing: float) -> tuple[str, ...]:
        """Set the spacing in micrometres of all images whose files have none; return which."""
        if check_plausible_spacing(spacing, spacing) is None:
            raise BadInputError(f"{spacing:g} micrometres per pixel is not a plausible spacing")
        ids = tuple(ref.id for ref in self.all() if ref.spacing is None)
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE images SET spacing_y = ?, spacing_x = ? WHERE id = ?",
                [(spacing, spacing, image_id) for image_id in ids],
            )
        return ids

    # --- tissue ------------------------------------------------------------------------------

    def tissue(self, image_id: str) -> NDArray[np.bool_]:
        """Return where the image shows tissue, at a low level (h, w): as edited, or as found."""
        rows = self._database.rows("SELECT mask FROM tissue WHERE image_id = ?", (image_id,))
        if rows:
            return target_from_blob(rows[0]["mask"]).astype(bool)
        return find_tissue(self.source(image_id))

    def set_tissue(
        self, image_id: str, mask: NDArray[np.bool_] | None, *, annotator: str = ""
    ) -> None:
        """Keep a corrected tissue mask (h, w) of any low resolution; None goes back to Otsu's."""
        ref = self.ref(image_id)
        if mask is not None and (mask.ndim != 2 or 0 in mask.shape):
            raise BadInputError(f"a tissue mask of {ref.id} is (h, w), got {mask.shape}")
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM tissue WHERE image_id = ?", (image_id,))
            if mask is not None:
                connection.execute(
                    "INSERT INTO tissue (image_id, edited_at, annotator, mask) VALUES (?, ?, ?, ?)",
                    (image_id, self._clock(), annotator, target_to_blob(mask.astype(np.uint8))),
                )

    def _row(self, image_id: str) -> sqlite3.Row:
        rows = self._database.rows("SELECT * FROM images WHERE id = ?", (image_id,))
        if not rows:
            known = [ref.id for ref in self.all()]
            raise BadInputError(f"no image {image_id!r}: {did_you_mean(image_id, known)}")
        return rows[0]


def _ref(row: sqlite3.Row) -> ImageRef:
    spacing = None if row["spacing_y"] is None else (row["spacing_y"], row["spacing_x"])
    return ImageRef(
        safe_image_id(row["id"]),
        row["relative_path"],
        (row["height"], row["width"]),
        spacing,
        row["fingerprint"],
    )


def relative_to(folder: Path, path: Path) -> str:
    """Return ``path`` as seen from ``folder``, or whole where it is on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
