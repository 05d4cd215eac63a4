"""What is handed to every exporter: pieces of images with a way to their pixels and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.images import ImageSource
from napari_active_seg.regions import UNLABELLED, LabelSchema, Region

__all__ = [
    "SPLIT_WORDS",
    "ExportSet",
    "ImageRow",
    "PieceLabels",
    "RegionRow",
    "Sample",
    "find_class_without_objects",
]

#: What other tools call the parts of a data set.
SPLIT_WORDS = {"pool": "train", "validation": "val", "audit": "test"}
#: Names of a first class that is the background of objects.
_NO_OBJECTS = {"background", "bg", "skin", "other", "none", "normal", "rest"}
#: More pixels than this are not held in memory in one array.
_WHOLE_UP_TO = 400_000_000


class PieceLabels(Protocol):
    """The labels of one image, read window by window."""

    @property
    def labelled(self) -> tuple[Region, ...]:
        """Where labels lie."""

    def target(self, window: Region) -> NDArray[np.uint8]:
        """Return the classes (h, w) of a window, 255 where nothing is labelled."""

    def objects(self, window: Region) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects, 0 for none; None where they are not separated."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A whole image, or a part of one, that becomes one item of the data set.

    ``name`` is a path without suffix that no other piece has, whatever the case of its letters.
    ``fill`` is the class that stands for "not labelled", where a person chose one.
    """

    name: str
    region: Region
    split: str
    labels: PieceLabels
    open_source: Callable[[], ImageSource]
    group: str | None = None
    spacing: tuple[float, float] | None = None
    fill: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.region.shape

    def target(self, window: Region | None = None) -> NDArray[np.uint8]:
        """Return the classes (h, w) of the piece, or of a ``window`` in its own pixels."""
        found = self.labels.target(self._in_image(window))
        if self.fill is not None:
            found = np.where(found == UNLABELLED, np.uint8(self.fill), found)
        return found

    def objects(self, window: Region | None = None) -> NDArray[np.int32] | None:
        """Return the ids (h, w) of objects; None where they are not separated."""
        return self.labels.objects(self._in_image(window))

    @property
    def has_instances(self) -> bool:
        """Whether its objects are numbered."""
        return self.objects(Region(self.name, 0, 0, 1, 1)) is not None

    def pixels(self, window: Region | None = None) -> NDArray[np.uint8]:
        """Return the picture (h, w, 3) uint8."""
        place = self._in_image(window)
        return self.open_source().read(0, place.y, place.x, place.height, place.width)

    def windows(self, side: int) -> Iterator[Region]:
        """Yield squares of ``side`` that cover the piece, row by row, in its own pixels."""
        height, width = self.shape
        for y in range(0, height, side):
            for x in range(0, width, side):
                yield Region(self.name, y, x, min(side, height - y), min(side, width - x))

    def labelled_windows(self, side: int) -> Iterator[Region]:
        """Yield those of the squares in which something may be labelled."""
        if self.fill is not None:
            yield from self.windows(side)
            return
        y, x = self.region.y, self.region.x
        seen = {
            (row, column)
            for place in self.labels.labelled
            if place.overlaps(self.region)
            for row in range(max(0, place.y - y) // side, (place.bottom - y - 1) // side + 1)
            for column in range(max(0, place.x - x) // side, (place.right - x - 1) // side + 1)
        }
        for window in self.windows(side):
            if (window.y // side, window.x // side) in seen:
                yield window

    def _in_image(self, window: Region | None) -> Region:
        if window is None:
            if self.region.area > _WHOLE_UP_TO:
                height, width = self.shape
                raise BadInputError(
                    f"{self.name} is {height:,} x {width:,} pixels, more than this format writes "
                    "in one piece; choose regions or tiles (--as regions, --as tiles), or for "
                    "tiff, ome-zarr or geojson"
                )
            return self.region
        return replace(
            window,
            image_id=self.region.image_id,
            y=window.y + self.region.y,
            x=window.x + self.region.x,
        )


@dataclass(frozen=True, slots=True)
class RegionRow:
    """Where a label came from: one row of the provenance table."""

    region: str
    image: str
    y: int
    x: int
    height: int
    width: int
    state: str
    kind: str
    annotator: str
    round: int
    strategy: str
    score: float
    expected_s: float
    reason: str
    model: str
    config_hash: str
    active_s: float
    idle_s: float
    strokes: int
    clicks: int
    undos: int
    changed_px: int
    begun: str
    saved_at: str  #: ISO 8601 in UTC
    draw_probability: float | None = None
    drawn_from: int = 0
    shape: str = ""  #: which pixels of the rectangle belong to the region, packed; empty for all


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A person's class of a whole image, or that it could not be decided."""

    image: str
    image_class: str
    annotator: str
    answered_at: str  #: ISO 8601 in UTC
    active_s: float


@dataclass(frozen=True, slots=True)
class ExportSet:
    """A labelled data set, ready to be written.

    ``request`` records the options of the export; ``with_pictures`` whether the images go
    along where a format can do without, and ``without_pictures`` whether they stay
    away also where its files name them.
    """

    name: str
    schema: LabelSchema
    pieces: tuple[Sample, ...]
    rows: tuple[RegionRow, ...]
    with_pictures: bool = False
    without_pictures: bool = False
    terms: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    image_rows: tuple[ImageRow, ...] = ()

    def of_split(self, split: str) -> tuple[Sample, ...]:
        """Return the pieces of one split."""
        return tuple(piece for piece in self.pieces if piece.split == split)


def find_class_without_objects(schema: LabelSchema) -> int | None:
    """Return the class that is the background of objects; None where each class has objects.

    That is a first class with a name such as background, skin or other.
    """
    return 0 if schema.names[0].casefold() in _NO_OBJECTS else None
