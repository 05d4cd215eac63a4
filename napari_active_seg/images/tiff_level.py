"""Windows of one TIFF page, by decoding only the tiles or strips that they touch."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images.in_memory import (
    BROKEN_FILE,
    check_layout,
    check_tiff_offsets,
    decode_error,
)
from napari_active_seg.images.to_rgb import (
    LAB_PHOTOMETRICS,
    cmyk_to_rgb,
    convert_to_rgb,
    lab_to_rgb,
    ycbcr_to_rgb,
)

__all__ = ["FileBytes", "TiffLevel", "get_series_pages"]

_APERIO_YCBCR = 33003


class FileBytes:
    """Reads anywhere in a file, from several threads at once."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._turn = threading.Lock()
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset`` on."""
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, count, offset)
        with self._turn:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True, eq=False)
class TiffLevel:
    """One level of a pyramid: the page that holds it, or one page for each channel."""

    path: Path
    file: FileBytes
    pages: tuple[tifffile.TiffPage, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return (int(self.pages[0].imagelength), int(self.pages[0].imagewidth))

    def read(
        self, y: int, x: int, height: int, width: int, *, white: int | None
    ) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x) and lies inside.

        ``white`` is the value of full brightness of pixels deeper than 8 bits.
        """
        return self._rgb(self.raw(y, x, height, width), white)

    def raw(self, y: int, x: int, height: int, width: int) -> NDArray[np.generic]:
        """Return the window (height, width, channels) as it is stored."""
        try:
            planes = [self._page_window(page, y, x, height, width) for page in self.pages]
        except BROKEN_FILE as error:
            raise decode_error(self.path, error) from error
        return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)

    def check_offsets(self) -> None:
        """Raise ImageError if a tile lies behind the end of the file."""
        for page in self.pages:
            check_layout(self.path, page)
            check_tiff_offsets(self.path, page)

    def _rgb(self, pixels: NDArray[np.generic], white: int | None) -> NDArray[np.uint8]:
        page = self.pages[0]
        photometric = page.photometric
        if photometric == tifffile.PHOTOMETRIC.PALETTE:
            colours = np.asarray(page.colormap)
            mapped = np.moveaxis(colours[:, pixels[..., 0].astype(np.intp)], 0, -1) >> 8
            return mapped.astype(np.uint8)
        if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            pixels = np.invert(pixels)
        elif photometric == tifffile.PHOTOMETRIC.SEPARATED and pixels.dtype == np.uint8:
            return cmyk_to_rgb(pixels.astype(np.uint8))
        elif photometric in LAB_PHOTOMETRICS:
            return lab_to_rgb(pixels, name=self.path.name, photometric=photometric)
        elif page.compression == _APERIO_YCBCR:
            return ycbcr_to_rgb(pixels.astype(np.uint8))
        return convert_to_rgb(pixels, name=self.path.name, white=white)

    def _page_window(
        self, page: tifffile.TiffPage, y: int, x: int, height: int, width: int
    ) -> NDArray[np.generic]:
        separate = page.planarconfig == 2 and page.samplesperpixel > 1
        samples = page.samplesperpixel
        out = np.empty((height, width, samples), page.dtype)
        rows, columns = _segment_shape(page)
        across = -(-page.imagewidth // columns)
        down = -(-page.imagelength // rows)
        for plane in range(samples if separate else 1):
            for row in range(y // rows, (y + height - 1) // rows + 1):
                for column in range(x // columns, (x + width - 1) // columns + 1):
                    index = (plane * down + row) * across + column
                    part = self._segment(page, index)
                    target = out[..., plane : plane + 1] if separate else out
                    _paste(target, part, row * rows - y, column * columns - x)
        return out

    def _segment(self, page: tifffile.TiffPage, index: int) -> NDArray[np.generic] | None:
        """Return a decoded tile or strip (h, w, samples), None where the file left it out."""
        count = page.databytecounts[index]
        if count == 0:
            return None
        data = self.file.read(page.dataoffsets[index], count)
        if len(data) != count:
            raise ImageError(f"{self.path.name} ends in the middle of a tile; copy it again")
        if page.jpegtables is not None or page.jpegheader is not None:
            decoded = page.decode(
                data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
            )[0]
        else:
            decoded = page.decode(data, index)[0]
        return None if decoded is None else decoded[0]


def _segment_shape(page: tifffile.TiffPage) -> tuple[int, int]:
    if page.is_tiled:
        return (int(page.tilelength), int(page.tilewidth))
    return (min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth))


def _paste(
    target: NDArray[np.generic], part: NDArray[np.generic] | None, top: int, left: int
) -> None:
    """Copy a segment whose first pixel belongs at (top, left) into the window."""
    y, x = max(top, 0), max(left, 0)
    if part is None:  # a tile that the scanner left out: bare glass
        deepest = 8 * target.dtype.itemsize
        target[y:, x:] = 2**deepest - 1 if target.dtype.kind == "u" else 1
        return
    piece = part[y - top : target.shape[0] - top, x - left : target.shape[1] - left]
    target[y : y + piece.shape[0], x : x + piece.shape[1]] = piece


def get_series_pages(series: tifffile.TiffPageSeries) -> Sequence[tifffile.TiffPage]:
    """Return the page of a colour series, or the pages of its first channels."""
    axes = series.axes
    keyframe = series.keyframe
    if axes.endswith("S") or "C" not in axes or len(series.pages) == 1:
        return [keyframe]
    channels = min(series.shape[axes.index("C")], 3)
    step = _pages_between_channels(series)
    pages = [series.pages[k * step] for k in range(channels)]
    if channels == 2:
        pages = pages[:1]
    return [_whole_page(page) for page in pages if page is not None] or [keyframe]


def _whole_page(page: tifffile.TiffPage | tifffile.TiffFrame) -> tifffile.TiffPage:
    return page if isinstance(page, tifffile.TiffPage) else page.aspage()


def _pages_between_channels(series: tifffile.TiffPageSeries) -> int:
    """Return how many pages lie between two channels of the first plane."""
    inner = series.axes[series.axes.index("C") + 1 :]
    sizes = dict(zip(series.axes, series.shape, strict=True))
    step = 1
    for axis in inner:
        if axis not in "YXS":
            step *= sizes[axis]
    return step
