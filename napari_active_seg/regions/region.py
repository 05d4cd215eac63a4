"""A rectangle of one image, in pixels of its full resolution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_active_seg.errors import BadInputError

__all__ = ["Region", "union_area"]


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A rectangle ``[y, y + height) x [x, x + width)`` of the image ``image_id``.

    Parameters
    ----------
    image_id
        The image's path below the image folder.
    y, x
        First row and first column, in pixels of the full resolution.
    height, width
        Size in pixels, 1 or more.

    Raises
    ------
    BadInputError
        If the size is not positive or the region starts outside of the image.

    Examples
    --------
    >>> region = Region("a.png", 2, 3, 4, 5)
    >>> region.area, region.bottom, region.right
    (20, 6, 8)
    >>> region.overlaps(Region("a.png", 5, 7, 4, 4))
    True
    """

    image_id: str
    y: int
    x: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height <= 0 or self.width <= 0:
            raise BadInputError(f"a region needs a positive size, got {self.height} x {self.width}")
        if self.y < 0 or self.x < 0:
            raise BadInputError(f"a region starts at 0 or later, got y={self.y}, x={self.x}")

    @property
    def bottom(self) -> int:
        """First row below the region."""
        return self.y + self.height

    @property
    def right(self) -> int:
        """First column right of the region."""
        return self.x + self.width

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return (self.height, self.width)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index that cuts the region out of an array whose first axes are (y, x)."""
        return (slice(self.y, self.bottom), slice(self.x, self.right))

    def overlaps(self, other: Region) -> bool:
        """Return whether both share at least one pixel of the same image."""
        return (
            self.image_id == other.image_id
            and self.y < other.bottom
            and other.y < self.bottom
            and self.x < other.right
            and other.x < self.right
        )

    def grow(self, margin: int, shape: tuple[int, int]) -> Region:
        """Return the region with ``margin`` pixels added on each side, kept inside ``shape``.

        >>> Region("a.png", 1, 5, 2, 2).grow(2, (10, 10))
        Region(image_id='a.png', y=0, x=3, height=5, width=6)
        """
        y, x = max(0, self.y - margin), max(0, self.x - margin)
        bottom, right = min(shape[0], self.bottom + margin), min(shape[1], self.right + margin)
        return Region(self.image_id, y, x, bottom - y, right - x)

    @staticmethod
    def whole(image_id: str, shape: Sequence[int]) -> Region:
        """Return the region that covers an image of ``shape`` (height, width, ...)."""
        return Region(image_id, 0, 0, int(shape[0]), int(shape[1]))


def union_area(regions: Iterable[Region]) -> int:
    """Return the number of pixels that lie in at least one of ``regions``.

    Overlapping regions are counted once, since a person labels a pixel once.
    """
    by_image: dict[str, list[Region]] = {}
    for region in regions:
        by_image.setdefault(region.image_id, []).append(region)
    return sum(_union_area_of_one_image(group) for group in by_image.values())


def _union_area_of_one_image(regions: list[Region]) -> int:
    rows = np.unique([edge for r in regions for edge in (r.y, r.bottom)])
    columns = np.unique([edge for r in regions for edge in (r.x, r.right)])
    covered = np.zeros((len(rows) - 1, len(columns) - 1), dtype=bool)
    for r in regions:
        top, bottom = np.searchsorted(rows, (r.y, r.bottom))
        left, right = np.searchsorted(columns, (r.x, r.right))
        covered[top:bottom, left:right] = True
    return int((np.diff(rows)[:, None] * np.diff(columns)[None, :])[covered].sum())
