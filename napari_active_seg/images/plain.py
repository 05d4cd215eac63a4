"""Pictures that fit into memory: PNG, JPEG, BMP and TIFF as RGB uint8."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from napari_active_seg.errors import ImageError

__all__ = ["IMAGE_SUFFIXES", "PlainImage", "read_array", "read_rgb"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
#: Above this a picture is a slide and is read by windows, not whole; the limit also stops a
#: header that claims an absurd size before memory is asked for.
_MOST_PIXELS = 300_000_000
#: What Pillow and tifffile raise on files that are cut short or scrambled.
_BROKEN_FILE = (OSError, ValueError, SyntaxError, IndexError, KeyError, tifffile.TiffFileError)
_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})


class PlainImage:
    """An ImageSource of one picture that is decoded when it is first read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return read_rgb(self._path)

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return (self._pixels.shape[0], self._pixels.shape[1])

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x); plain pictures rarely say it in a trustworthy way."""
        return None

    @property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """The one level that there is."""
        return (self.shape,)

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x)."""
        rows, columns = self.shape
        if level != 0:
            raise ImageError(f"{self._path.name} has one level, asked for level {level}")
        if y < 0 or x < 0 or height < 1 or width < 1 or y + height > rows or x + width > columns:
            raise ImageError(
                f"{self._path.name} is {rows} x {columns}; "
                f"a window of {height} x {width} at ({y}, {x}) does not lie inside"
            )
        return self._pixels[y : y + height, x : x + width]


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return the picture at ``path`` as (H, W, 3) uint8, whatever its mode and depth."""
    return _as_rgb(read_array(path), path)


def read_array(path: Path, *, indices: bool = False) -> NDArray[np.generic]:
    """Return the decoded pixels of a picture (H, W) or (H, W, C).

    Palettes are turned into colours, or kept as ``indices``; EXIF orientation is honoured.
    """
    try:
        if path.suffix.lower() in _TIFF_SUFFIXES:
            return _read_tiff(path)
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ImageError(_too_large(path, (picture.height, picture.width)))
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            if upright.mode in ("P", "CMYK", "PA", "LAB", "YCbCr", "HSV") and not (
                indices and upright.mode == "P"
            ):
                upright = upright.convert("RGB")
            return np.asarray(upright)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path.name}: the header claims an absurd size; set it aside") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path.name} is no picture that can be read; set it aside") from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        IndexError,
        KeyError,
        tifffile.TiffFileError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(f"{path.name} cannot be decoded ({reason}); set it aside") from error


def _read_tiff(path: Path) -> NDArray[np.generic]:
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        shape = (int(page.imagelength), int(page.imagewidth))
        if shape[0] * shape[1] > _MOST_PIXELS:
            raise ImageError(_too_large(path, shape))
        pixels = page.asarray()
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            colours = np.asarray(page.colormap)
            return (np.moveaxis(colours[:, pixels], 0, -1) >> 8).astype(np.uint8)
        return np.asarray(pixels)


def _too_large(path: Path, shape: tuple[int, int]) -> str:
    return (
        f"{path.name} claims {shape[0]:,} x {shape[1]:,} pixels, more than a plain picture may "
        "have; cut it into smaller pictures"
    )


def _as_rgb(pixels: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    if pixels.ndim > 3:
        pixels = np.squeeze(pixels)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise ImageError(f"{path.name} has pixels of shape {pixels.shape}; want grey, RGB or RGBA")
    eight = _to_8_bit(pixels, path)
    channels = eight.shape[2]
    if channels in (2, 4):
        alpha = eight[..., -1:].astype(np.uint16)
        over_white = (eight[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255
        eight = over_white.astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(eight, (*eight.shape[:2], 3)))


def _to_8_bit(pixels: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype == np.bool_:
        return np.where(pixels, 255, 0).astype(np.uint8)
    if pixels.dtype.kind not in "uif":
        raise ImageError(f"{path.name} has pixels of type {pixels.dtype}; want numbers")
    values = pixels.astype(np.float64)
    if not np.isfinite(values).all():
        raise ImageError(f"{path.name} holds NaN or infinity; set it aside")
    top = _full_scale(values, pixels.dtype)
    return np.clip(np.round(values * (255.0 / top)), 0, 255).astype(np.uint8)


def _full_scale(values: NDArray[np.float64], dtype: np.dtype[np.generic]) -> float:
    """Return the value that stands for white: 16-bit cameras often use 10, 12 or 14 bits."""
    highest = float(values.max())
    if dtype.kind == "f":
        return 1.0 if highest <= 1.0 else max(255.0, highest)
    for bits in (8, 10, 12, 14, 16):
        if highest < 2**bits:
            return float(2**bits - 1)
    return highest
