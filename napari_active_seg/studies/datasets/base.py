"""What a data set is here: samples with ways to their pixels and truth, in the official parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import read_array, read_rgb

__all__ = [
    "DataSet",
    "Reader",
    "Sample",
    "by_stem",
    "folder_in",
    "from_codes",
    "picture",
    "read_ids",
]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image of a data set.

    ``truth`` gives classes (H, W), 255 where nothing is known; ``objects`` the ids of objects,
    where they are distinguished. ``group`` is its patient, slide or sequence, ``kind`` what a
    balanced draw balances, ``frame`` its place in time within its group.
    """

    id: str
    image: Callable[[], NDArray[np.uint8]]
    truth: Callable[[], NDArray[np.uint8]]
    objects: Callable[[], NDArray[np.int32]] | None = None
    group: str = ""
    kind: str = ""
    frame: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Samples by part, the classes of their truth, and notes for the report."""

    classes: tuple[str, ...]
    parts: Mapping[str, tuple[Sample, ...]]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not any(self.parts.values()):
            raise ImageError("the data set holds no image in the official layout")


@dataclass(frozen=True, slots=True)
class Reader:
    """How a data set is read out of its official layout, and how one comes by it."""

    name: str
    title: str
    source: str  #: where it is to be had
    terms: str  #: what its owners allow
    read: Callable[[Path], DataSet]

    def open(self, root: Path) -> DataSet:
        """Return the data set below ``root``; ImageError names its source if it is missing."""
        try:
            return self.read(root)
        except ImageError as error:
            raise ImageError(f"{error}. {self.title}: {self.source} ({self.terms})") from error


def folder_in(root: Path, *names: str) -> Path:
    """Return the first folder below ``root`` that is there; ImageError names what was wanted."""
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise ImageError(f"no folder {' or '.join(names)} in {root}")


def picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3)."""
    return read_rgb(path)


def read_ids(path: Path, *, indices: bool = False) -> NDArray[np.int32]:
    """Return the numbers (H, W) that a picture holds, of a palette its ``indices`` where asked."""
    pixels = read_array(path, indices=indices)
    return (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.int32)


def from_codes(
    codes: NDArray[np.integer], table: Mapping[int, int], *, other: int = 255
) -> NDArray[np.uint8]:
    """Return the classes that a table gives to codes; ``other`` where it has none."""
    found = np.full(codes.shape, other, np.uint8)
    for code, index in table.items():
        found[codes == code] = index
    return found


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Return files by their names without suffix."""
    return {path.stem: path for path in paths}
