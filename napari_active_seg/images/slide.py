"""Pyramidal slides and large TIFF: windows of any level, and never the label or the macro.

Only the levels of the scan itself are opened. Label and macro pictures, which may show a name,
and the free text of the file are never read beyond what gives the spacing.
"""

from __future__ import annotations

import threading
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images.in_memory import BROKEN_FILE, decode_error
from napari_active_seg.images.pixel_size import get_tiff_spacing
from napari_active_seg.images.pyramid import Overview
from napari_active_seg.images.source import check_window
from napari_active_seg.images.tiff_level import FileBytes, TiffLevel, get_series_pages
from napari_active_seg.images.to_rgb import find_white_of_windows

__all__ = ["SLIDE_SUFFIXES", "SlideImage", "needs_windows"]

SLIDE_SUFFIXES = frozenset({".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".tf8", ".btf"})
#: A plain TIFF above this is read by windows, tiled or not.
_PLAIN_UP_TO = 16_000_000
_NOT_THE_SCAN = ("label", "macro", "thumbnail", "overview", "barcode")
#: A level below the lowest one is made where that is still too large to read whole.
_LARGEST_LOWEST = 4096
_SAME_ASPECT = 0.02


class SlideImage:
    """An ImageSource of a TIFF pyramid. It reopens automatically after unpickling."""

    def __init__(self, path: Path, *, white: int | None = None) -> None:
        self._path = path
        self._white = white
        self._turn = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """Pickle as a path."""
        return {"path": self._path, "white": self.__dict__.get("white", self._white)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], white=state["white"])  # type: ignore[misc]

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` at level 0."""
        return self._levels[0].shape

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x) at level 0."""
        return self._opened[1]

    @cached_property
    def white(self) -> int | None:
        """The value that stands for white, from the whole lowest level."""
        if self._white is not None:
            return self._white
        lowest = self._levels[-1]
        return find_white_of_windows(lowest.raw, lowest.shape, name=self._path.name)

    @cached_property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level; a coarse one is added where the file has none."""
        shapes = tuple(level.shape for level in self._levels)
        return shapes if self._overview is None else (*shapes, self._overview.shape)

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x) of ``level``."""
        check_window(self._path.name, self.level_shapes, level, y, x, height, width)
        if level == len(self._levels) and self._overview is not None:
            return self._overview.read(y, x, height, width)
        return self._levels[level].read(y, x, height, width, white=self.white)

    def check(self) -> None:
        """Raise ImageError if tiles are missing behind the end, or the corners do not decode."""
        for level in self._levels:
            level.check_offsets()
        rows, columns = self.shape
        for y, x in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 2)):
            self.read(0, y, x, 1, 1)

    @property
    def _levels(self) -> tuple[TiffLevel, ...]:
        return self._opened[0]

    @cached_property
    def _overview(self) -> Overview | None:
        lowest = self._levels[-1]
        if max(lowest.shape) <= _LARGEST_LOWEST:
            return None
        read = partial(lowest.read, white=self.white)
        return Overview(read, lowest.shape, longest=_LARGEST_LOWEST // 2)

    @cached_property
    def _opened(self) -> tuple[tuple[TiffLevel, ...], tuple[float, float] | None]:
        with self._turn:
            try:
                with tifffile.TiffFile(self._path) as file:
                    pages = _level_pages(file)
                    spacing = get_tiff_spacing(file, pages[0][0])
                    for page in (page for level in pages for page in level):
                        _load(page)
                data = FileBytes(self._path)
            except BROKEN_FILE as error:
                raise decode_error(self._path, error) from error
            levels = (TiffLevel(self._path, data, level) for level in pages)
            return tuple(levels), spacing


def needs_windows(path: Path) -> bool:
    """Return whether a TIFF is read by windows: it is large, tiled or a pyramid."""
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            pixels = int(page.imagelength) * int(page.imagewidth)
            pyramid = len(file.series) > 0 and len(file.series[0].levels) > 1
            planes = file.is_ome and not file.series[0].axes.endswith(("S", "YX"))
            several = file.is_ome and len(file.series[0].axes) > 2 and page.samplesperpixel == 1
            return pixels > _PLAIN_UP_TO or pyramid or planes or several
    except BROKEN_FILE as error:
        raise decode_error(path, error) from error


def _level_pages(file: tifffile.TiffFile) -> list[tuple[tifffile.TiffPage, ...]]:
    """Return the pages of each level of the scan, the full resolution first."""
    series = [s for s in file.series if not _shows_something_else(s.name)]
    if not series:
        raise ImageError(f"{file.filename} holds no scan")
    scan = max(series, key=lambda s: int(s.keyframe.imagelength) * int(s.keyframe.imagewidth))
    levels = [tuple(get_series_pages(level)) for level in scan.levels]
    if len(levels) == 1:
        levels += [(page,) for page in _reduced_pages(file, levels[0][0])]
    return levels


def _shows_something_else(name: str) -> bool:
    return any(word in name.lower() for word in _NOT_THE_SCAN)


def _reduced_pages(file: tifffile.TiffFile, base: tifffile.TiffPage) -> list[tifffile.TiffPage]:
    """Return later pages that are the first one, smaller: a pyramid without a name."""
    found: list[tifffile.TiffPage] = []
    last = base
    for page in list(file.pages)[1:]:
        if not isinstance(page, tifffile.TiffPage):
            continue
        smaller = page.imagewidth < last.imagewidth and page.imagelength < last.imagelength
        aspect = (page.imagewidth / page.imagelength) / (base.imagewidth / base.imagelength)
        alike = page.samplesperpixel == base.samplesperpixel and page.dtype == base.dtype
        tiled = page.is_tiled and base.is_tiled
        if tiled and smaller and alike and abs(aspect - 1) <= _SAME_ASPECT:
            found.append(page)
            last = page
    return found


def _load(page: tifffile.TiffPage) -> None:
    """Read what a page keeps in the file, so that it serves when the file is closed."""
    if page.dtype is None:
        raise ImageError("a level has pixels of an unknown type")
    _ = (page.dataoffsets, page.databytecounts, page.jpegtables, page.jpegheader, page.decode)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        _ = page.colormap
