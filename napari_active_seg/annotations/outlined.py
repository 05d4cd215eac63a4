"""Labels given as outlines: any file of outlines, once read, serves from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.annotations.polygons import Shape
from napari_active_seg.images import ImageRef
from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["OutlinedImages"]

#: Images of more pixels are taken over outline by outline, not as a whole.
_WHOLE_UP_TO = 50_000_000
#: The label of a slide comes in pieces of this side at most.
_PIECE = 2048


class OutlinedImages:
    """Shapes by image; what lies outside all of them is ``rest``.

    Where shapes overlap, the smaller one covers the larger, so that what lies inside stays seen.
    """

    def __init__(self, shapes: Mapping[str, Sequence[Shape]], *, rest: int = UNLABELLED) -> None:
        self._shapes = {
            image_id: tuple(sorted(found, key=lambda shape: -shape.area))
            for image_id, found in shapes.items()
        }
        self._rest = rest

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

    def reveal(self, region: Region) -> NDArray[np.uint8]:
        """Return the target of ``region`` alone."""
        target = np.full(region.shape, self._rest, np.uint8)
        for shape in self._shapes[region.image_id]:
            shape.fill(target, region)
        return target

    def objects(self, region: Region) -> NDArray[np.int32]:
        """Return the number of the outline that each pixel of ``region`` lies in, 0 for none.

        What is outlined as the first class is beside the objects, not one of them.
        """
        ids = np.zeros(region.shape, np.int32)
        covered = np.empty(region.shape, np.uint8)
        for number, shape in enumerate(self._shapes[region.image_id], start=1):
            covered[:] = UNLABELLED
            shape.fill(covered, region)
            ids[covered != UNLABELLED] = number if shape.value else 0
        return ids


def _pieces(drawn: Shape, shape: tuple[int, int]) -> set[tuple[int, int]]:
    top, left, bottom, right = drawn.bounds
    rows = range(max(0, int(top)) // _PIECE, min(shape[0] - 1, int(bottom)) // _PIECE + 1)
    columns = range(max(0, int(left)) // _PIECE, min(shape[1] - 1, int(right)) // _PIECE + 1)
    return {(row * _PIECE, column * _PIECE) for row in rows for column in columns}
