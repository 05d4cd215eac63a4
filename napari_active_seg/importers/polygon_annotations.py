"""Labels given as outlines: any file of outlines, once read, serves from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import AnnotationError
from napari_active_seg.images import ImageRef
from napari_active_seg.importers.polygons import RunLengths, Shape
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["OutlinedImages"]

#: Images of more pixels are taken over outline by outline, not as a whole.
_WHOLE_UP_TO = 50_000_000
#: The label of a slide comes in pieces of this side at most.
_PIECE = 2048
#: Outlines that reach over the edge by at most this many pixels are drawn along it.
_ROUNDED = 1.0
#: Most image names in a message.
_NAMED = 5


class OutlinedImages:
    """Shapes by image; what lies outside all of them is ``rest``.

    Where shapes overlap, the smaller one covers the larger, so that what lies inside stays seen.
    """

    def __init__(
        self,
        shapes: Mapping[str, Sequence[Shape]],
        *,
        rest: int = UNLABELLED,
        notes: Sequence[str] = (),
    ) -> None:
        self._notes = tuple(notes)
        self._shapes = {
            image_id: tuple(sorted(found, key=lambda shape: -shape.area))
            for image_id, found in shapes.items()
        }
        self._rest = rest

    @staticmethod
    def checked(
        shapes: Mapping[str, Sequence[Shape]],
        sizes: Mapping[str, tuple[int, int]],
        *,
        where: str,
        rest: int = UNLABELLED,
    ) -> OutlinedImages:
        """Return shapes whose places were compared with the sizes of their images.

        AnnotationError where all outlines of an image lie outside of it: their coordinates are
        those of another image or scale, and nothing of it would be labelled but the rest.
        """
        outside, beyond = Counter[str](), Counter[str]()
        for image_id, found in shapes.items():
            for shape in found:
                place = _place_of(shape, sizes[image_id])
                outside[image_id] += place == "outside"
                beyond[image_id] += place == "beyond"
        lost = [i for i, found in shapes.items() if found and outside[i] == len(found)]
        if lost:
            height, width = sizes[lost[0]]
            raise AnnotationError(
                f"{where}: all outlines of {_list_names(lost)} lie outside of the image, which is "
                f"{height} x {width} pixels; export them in its pixels, or remove them"
            )
        total = sum(map(len, shapes.values()))
        notes = [
            f"{found.total()} of {total} outlines {what} ({_list_names(+found)})"
            for found, what in (
                (outside, "lie outside of their images and are left out"),
                (beyond, "reach beyond the edges of their images and are cut there"),
            )
            if found.total()
        ]
        return OutlinedImages(shapes, rest=rest, notes=notes)

    @property
    def convention(self) -> None:
        """How the numbers of masks are read: None, without masks."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or cut."""
        return self._notes

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""
        return tuple(self._shapes)

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the whole image, or on a slide the pieces that outlines touch."""
        height, width = image.shape
        if height * width <= _WHOLE_UP_TO:
            return (Region.whole(image.id, image.shape),)
        touched = {
            piece for shape in self._shapes[image.id] for piece in _pieces(shape, image.shape)
        }
        return tuple(
            Region(image.id, y, x, min(_PIECE, height - y), min(_PIECE, width - x))
            for y, x in sorted(touched)
        )

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        target = np.full(region.shape, self._rest, np.uint8)
        for shape in self._shapes[region.image_id]:
            shape.fill(target, region)
        return target

    def objects(self, region: Region) -> NDArray[np.int32]:
        """Return the number of the outline that each pixel of ``region`` lies in, 0 for none.

        Outlines of the first class are the background of objects, not objects.
        """
        ids = np.zeros(region.shape, np.int32)
        covered = np.empty(region.shape, np.uint8)
        for number, shape in enumerate(self._shapes[region.image_id], start=1):
            covered[:] = UNLABELLED
            shape.fill(covered, region)
            ids[covered != UNLABELLED] = number if shape.value else 0
        return ids


def _place_of(shape: Shape, size: tuple[int, int]) -> Literal["inside", "beyond", "outside"]:
    if isinstance(shape, RunLengths):  # they cover the image, as its reader has checked
        return "inside"
    top, left, bottom, right = shape.bounds
    if bottom <= 0 or right <= 0 or top >= size[0] or left >= size[1]:
        return "outside"
    over = max(-top, -left, bottom - size[0], right - size[1])
    return "beyond" if over > _ROUNDED else "inside"


def _list_names(image_ids: Iterable[str]) -> str:
    names = list(image_ids)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _pieces(drawn: Shape, shape: tuple[int, int]) -> set[tuple[int, int]]:
    top, left, bottom, right = drawn.bounds
    rows = range(max(0, int(top)) // _PIECE, min(shape[0] - 1, int(bottom)) // _PIECE + 1)
    columns = range(max(0, int(left)) // _PIECE, min(shape[1] - 1, int(right)) // _PIECE + 1)
    return {(row * _PIECE, column * _PIECE) for row in rows for column in columns}
