"""Names: which class of the project a name in a file means, and which image a file is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from napari_active_seg.errors import AnnotationError, did_you_mean
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["ClassNames", "bare_name", "index_images_by_name"]


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The project's classes, and other names under which a file may know them."""

    schema: LabelSchema
    renamed: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str, *, where: str) -> int:
        """Return the class called ``name`` in the file; 255 for names that end with ``*``.

        QuPath marks with the asterisk what is to be ignored. AnnotationError for other names.
        """
        meant = {key.casefold(): value for key, value in self.renamed.items()}.get(
            name.casefold(), name
        )
        if meant.endswith("*"):
            return UNLABELLED
        folded = [known.casefold() for known in self.schema.names]
        if meant.casefold() in folded:
            return folded.index(meant.casefold())
        raise AnnotationError(
            f"{where} names a class {name!r} that the project does not have "
            f"({did_you_mean(name, self.schema.names)}); add the class, or map the name to one "
            f"(--map '{name}=CLASS')"
        )


def index_images_by_name(image_ids: Iterable[str]) -> dict[str, str]:
    """Return the image id of each name that a file may use for it.

    A full id, a name with or without its suffix; a name that two images share means neither.
    """
    ids = list(image_ids)
    names: dict[str, set[str]] = {}
    for image_id in ids:
        path = PurePosixPath(image_id)
        for name in (image_id, path.with_suffix("").as_posix(), path.name, path.stem):
            names.setdefault(name.casefold(), set()).add(image_id)
    known = {name: found.pop() for name, found in names.items() if len(found) == 1}
    return known | {image_id.casefold(): image_id for image_id in ids}


def bare_name(name: str) -> str:
    """Return the last part of a path of any system: a name in a file is never followed."""
    return PureWindowsPath(name).name
