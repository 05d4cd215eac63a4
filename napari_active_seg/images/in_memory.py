"""Pictures that fit into memory: PNG, JPEG, BMP and small TIFF as RGB uint8."""

from __future__ import annotations

import struct
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from napari_active_seg.errors import ImageError
from napari_active_seg.images.pillow_reader import check_regular_file, open_picture
from napari_active_seg.images.pixel_size import get_spacing_from_resolution, get_tiff_spacing
from napari_active_seg.images.source import check_window
from napari_active_seg.images.to_rgb import (
    LAB_PHOTOMETRICS,
    cmyk_to_rgb,
    convert_to_rgb,
    find_white,
    lab_to_rgb,
)

__all__ = ["BROKEN_FILE", "PICTURE_SUFFIXES", "TIFF_SUFFIXES", "PlainImage", "check_layout"]
__all__ += ["check_tiff_offsets", "decode_error", "picture_shape", "read_array", "read_rgb"]

TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp"}) | TIFF_SUFFIXES
#: Above this a picture is read by windows or not at all; the limit also stops a header that
#: claims an absurd size before memory is allocated.
_MOST_PIXELS = 300_000_000
_EXIF_ORIENTATION = 274
#: From this EXIF orientation on, rows and columns are swapped.
_FIRST_TURNED = 5
#: What Pillow and tifffile raise on files that are cut short or scrambled.
BROKEN_FILE = (
    ArithmeticError,  # a width of 0
    AssertionError,
    AttributeError,
    EOFError,
    OSError,
    ValueError,
    SyntaxError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,  # imagecodecs' errors are
    struct.error,
    zlib.error,
    tifffile.TiffFileError,
)


class PlainImage:
    """An ImageSource of one picture that is decoded when it is first read.

    ``white`` is the value of full brightness in a 16-bit picture; None derives it from the pixels.
    """

    def __init__(self, path: Path, *, white: int | None = None) -> None:
        self._path = path
        self._white = white

    def __getstate__(self) -> dict[str, object]:
        """Pickle without the pixels; they are read again where the source arrives."""
        return {"_path": self._path, "_white": self._white}

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return read_rgb(self._path, white=self._white)

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return (self._pixels.shape[0], self._pixels.shape[1])

    @cached_property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x), where the file has a plausible one."""
        try:
            if self._path.suffix.lower() in TIFF_SUFFIXES:
                with tifffile.TiffFile(self._path) as file:
                    return get_tiff_spacing(file, file.pages.first)
            with open_picture(self._path) as picture:
                x, y = picture.info.get("dpi", (0, 0))
                return get_spacing_from_resolution(float(y), float(x), "inch")
        except (*BROKEN_FILE, Image.DecompressionBombError):
            return None

    @cached_property
    def white(self) -> int | None:
        """The value that stands for white in a picture deeper than 8 bits, else None."""
        return self._white or find_white(read_array(self._path))

    @property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """The one level that there is."""
        return (self.shape,)

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x)."""
        check_window(self._path.name, self.level_shapes, level, y, x, height, width)
        return self._pixels[y : y + height, x : x + width]


def picture_shape(path: Path) -> tuple[int, int]:
    """Return ``(height, width)`` of a picture from its header; its pixels are not decoded."""
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            with tifffile.TiffFile(path) as file:
                page = file.pages.first
                height, width = int(page.imagelength), int(page.imagewidth)
                tag = page.tags.get("Orientation")
                turned = tag is not None and int(tag.value) >= _FIRST_TURNED
        else:
            with open_picture(path) as picture:
                width, height = picture.size
                turned = picture.getexif().get(_EXIF_ORIENTATION, 1) >= _FIRST_TURNED
    except (*BROKEN_FILE, Image.DecompressionBombError) as error:
        raise decode_error(path, error) from error
    return (width, height) if turned else (height, width)


def read_rgb(path: Path, *, white: int | None = None) -> NDArray[np.uint8]:
    """Return the picture at ``path`` as (H, W, 3) uint8, whatever its mode and depth."""
    return convert_to_rgb(read_array(path), name=path.name, white=white)


def read_array(path: Path, *, indices: bool = False) -> NDArray[np.generic]:
    """Return the decoded pixels of a picture (H, W) or (H, W, C).

    Palettes are turned into colours, or kept as ``indices``; EXIF orientation is honoured.
    """
    check_regular_file(path)
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _read_tiff(path, indices=indices)
        return _read_picture(path, indices=indices)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path.name}: the header claims an absurd size; set it aside") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path.name} is not a readable picture; set it aside") from error
    except BROKEN_FILE as error:
        raise decode_error(path, error) from error


def decode_error(path: Path, error: Exception) -> ImageError:
    """Return the error for a file that its decoder failed on."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ImageError(f"{path.name} cannot be decoded ({reason}); set it aside")


def _read_picture(path: Path, *, indices: bool) -> NDArray[np.generic]:
    with open_picture(path) as picture:
        if picture.width * picture.height > _MOST_PIXELS:
            raise ImageError(_too_large(path, (picture.height, picture.width)))
        picture.load()
        upright = ImageOps.exif_transpose(picture)
        if indices and upright.mode == "P":
            return np.asarray(upright)
        if upright.mode in ("P", "PA") and "transparency" in upright.info:
            upright = upright.convert("RGBA")
        elif upright.mode in ("P", "CMYK", "PA", "LAB", "YCbCr", "HSV"):
            upright = upright.convert("RGB")
        return np.asarray(upright)


def _read_tiff(path: Path, *, indices: bool) -> NDArray[np.generic]:
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        shape = (int(page.imagelength), int(page.imagewidth))
        if shape[0] * shape[1] > _MOST_PIXELS:
            raise ImageError(_too_large(path, shape))
        check_layout(path, page)
        check_tiff_offsets(path, page)
        pixels = page.asarray()
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not indices:
            colours = np.asarray(page.colormap)
            return (np.moveaxis(colours[:, pixels], 0, -1) >> 8).astype(np.uint8)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not indices:
            pixels = np.invert(pixels)
        if page.photometric in LAB_PHOTOMETRICS:
            pixels = lab_to_rgb(pixels, name=path.name, photometric=page.photometric)
        if page.photometric == tifffile.PHOTOMETRIC.SEPARATED and pixels.dtype == np.uint8:
            pixels = cmyk_to_rgb(pixels)
        return _upright(np.asarray(pixels), page)


def check_layout(path: Path, page: tifffile.TiffPage) -> None:
    """Raise ImageError where a TIFF has no pixels, or its tiles have none."""
    sizes = [page.imagelength, page.imagewidth]
    sizes += [page.tilelength, page.tilewidth] if page.is_tiled else [page.rowsperstrip]
    if min(int(size) for size in sizes) < 1:
        raise ImageError(f"{path.name} claims a size of 0; copy the file again, or remove it")


def check_tiff_offsets(path: Path, page: tifffile.TiffPage) -> None:
    """Raise ImageError where a TIFF points behind its own end: it was cut short, or it lies."""
    size = path.stat().st_size
    ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False) if n]
    if not ends or max(ends) > size:
        raise ImageError(
            f"{path.name} is cut short or claims a size that it does not have "
            f"({size:,} bytes are there); copy it again, or set it aside"
        )


def _upright(pixels: NDArray[np.generic], page: tifffile.TiffPage) -> NDArray[np.generic]:
    """Return the pixels in the orientation of TIFF's tag 274."""
    tag = page.tags.get("Orientation")
    turned = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.swapaxes(a, 0, 1)[:, ::-1],
        7: lambda a: np.swapaxes(a, 0, 1)[::-1, ::-1],
        8: lambda a: np.swapaxes(a, 0, 1)[::-1],
    }.get(int(tag.value) if tag is not None else 1)
    return pixels if turned is None else turned(pixels)


def _too_large(path: Path, shape: tuple[int, int]) -> str:
    return (
        f"{path.name} claims {shape[0]:,} x {shape[1]:,} pixels, more than a plain picture may "
        "have; save it as a tiled TIFF, which is read by windows, or cut it"
    )
