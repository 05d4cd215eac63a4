"""Conversion of pixels to RGB uint8: grey, palette, alpha, 16 bits, CMYK."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.color import lab2rgb

from napari_active_seg.errors import ImageError

__all__ = [
    "LAB_PHOTOMETRICS",
    "cmyk_to_rgb",
    "convert_to_rgb",
    "find_white",
    "float_scale",
    "lab_to_rgb",
]
__all__ += ["find_white_of_windows", "ycbcr_to_rgb"]

_BIT_DEPTHS = (8, 10, 12, 14, 16)
#: TIFF's numbers for CIELab with signed colours, and with colours that are shifted by 128.
_CIELAB, _ICCLAB = 8, 9
LAB_PHOTOMETRICS = (_CIELAB, _ICCLAB, 10)
#: Filters overshoot: real numbers up to 2 are read as 0..1, those up to 267 as 0..255, and clipped.
_UNIT_OVERSHOOT, _OVERSHOOT = 2.0, 1.05
#: Between 0..1 and this the value of full brightness is unknown.
_LEAST_FULL_SCALE = 16.0
#: Side of the windows by which an image is read through.
_WINDOW = 2048


def convert_to_rgb(
    pixels: NDArray[np.generic], *, name: str, white: int | None
) -> NDArray[np.uint8]:
    """Convert pixels (H, W), (H, W, 1 to 4) of any depth to (H, W, 3) uint8.

    ``white`` is the value that stands for full brightness in pixels deeper than 8 bits; None
    takes it from these pixels alone. Transparent pixels are blended with white.
    """
    if pixels.ndim > 3:
        pixels = np.squeeze(pixels)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise ImageError(f"{name} has pixels of shape {pixels.shape}; want grey, RGB or RGBA")
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels, np.uint8)
    eight = _to_8_bit(pixels, name, white)
    channels = eight.shape[2]
    if channels in (2, 4):
        alpha = eight[..., -1:].astype(np.uint16)
        over_white = (eight[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255
        eight = over_white.astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(eight, (*eight.shape[:2], 3)))


def find_white(pixels: NDArray[np.generic]) -> int | None:
    """Return the value that stands for white in pixels deeper than 8 bits.

    Cameras use 10, 12 or 14 of 16 bits: the smallest depth that holds all values. Real numbers
    go by `float_scale`. None for 8 bits, where there is nothing to decide, or if it is unknown.
    """
    if pixels.dtype.kind == "f" and pixels.size:
        return float_scale(float(pixels.max()))
    if pixels.dtype.kind not in "ui" or pixels.dtype.itemsize == 1 or pixels.size == 0:
        return None
    highest = int(pixels.max())
    return next((2**bits - 1 for bits in _BIT_DEPTHS if highest < 2**bits), highest)


def find_white_of_windows(
    read: Callable[[int, int, int, int], NDArray[np.generic]], shape: tuple[int, int], *, name: str
) -> int | None:
    """Return the value that stands for white in an image that is read by windows.

    All of it is read once, so that every window has the same brightness; of 8 bits one pixel
    alone. ImageError where white cannot be known.
    """
    kind = read(0, 0, 1, 1).dtype
    if kind.kind not in "uif" or kind.itemsize == 1:
        return None
    height, width = shape
    highest: list[NDArray[np.generic]] = []
    for top in range(0, height, _WINDOW):
        for left in range(0, width, _WINDOW):
            part = read(top, left, min(_WINDOW, height - top), min(_WINDOW, width - left))
            highest.append(part.max())
    most = np.array(highest).max(keepdims=True)
    if most.dtype.kind == "f" and not np.isfinite(most).all():
        raise ImageError(f"{name} holds NaN or infinity; set it aside")
    white = find_white(most)
    if white is None and most.dtype.kind == "f":
        raise _unknown_white(name, float(most[0]))
    return white


def cmyk_to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ink (H, W, 4), 255 for full, as light (H, W, 3)."""
    light = 255 - pixels.astype(np.uint16)
    mixed: NDArray[np.uint8] = ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
    return mixed


def lab_to_rgb(pixels: NDArray[np.generic], *, name: str, photometric: int) -> NDArray[np.uint8]:
    """Return 8-bit CIELab pixels (H, W, 3) of a TIFF as RGB uint8; ImageError for other kinds."""
    if pixels.dtype != np.uint8 or pixels.shape[-1] != 3 or photometric not in (_CIELAB, _ICCLAB):
        raise ImageError(f"{name} is in a CIELab encoding that cannot be read; save it as RGB")
    lightness = pixels[..., 0].astype(np.float64) * (100 / 255)
    colour = pixels[..., 1:]
    if photometric == _CIELAB:
        colours = np.ascontiguousarray(colour).view(np.int8).astype(np.float64)
    else:
        colours = colour.astype(np.float64) - 128
    with warnings.catch_warnings():  # colours that no screen shows are clipped
        warnings.simplefilter("ignore", UserWarning)
        rgb = lab2rgb(np.concatenate([lightness[..., None], colours], axis=-1))
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def float_scale(highest: float) -> int | None:
    """Return the value of full brightness of real numbers up to ``highest``.

    1 for 0..1 with a little overshoot, 255 for 0..255, otherwise the smallest camera depth; None
    where it cannot be known.

    >>> [float_scale(highest) for highest in (0.4, 1.02, 200.0, 256.5, 4000.0, 5.0)]
    [1, 1, 255, 255, 4095, None]
    """
    if highest <= _UNIT_OVERSHOOT:
        return 1
    if not highest >= _LEAST_FULL_SCALE:
        return None
    depths = (2**bits - 1 for bits in _BIT_DEPTHS)
    return next((full for full in depths if highest <= full * _OVERSHOOT), None)


def ycbcr_to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return full-range BT.601 luma and chroma (H, W, 3) as RGB."""
    luma, blue, red = np.moveaxis(pixels.astype(np.float32), -1, 0)
    blue, red = blue - 128.0, red - 128.0
    mixed = np.stack(
        [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=-1
    )
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _to_8_bit(pixels: NDArray[np.generic], name: str, white: int | None) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype == np.bool_:
        return np.where(pixels, 255, 0).astype(np.uint8)
    if pixels.dtype.kind not in "uif":
        raise ImageError(f"{name} has pixels of type {pixels.dtype}; want numbers")
    values = pixels.astype(np.float64)
    if not np.isfinite(values).all():
        raise ImageError(f"{name} holds NaN or infinity; set it aside")
    top = float(white) if white else _full_scale(pixels, values, name)
    return np.clip(np.round(values * (255.0 / top)), 0, 255).astype(np.uint8)


def _unknown_white(name: str, highest: float) -> ImageError:
    return ImageError(
        f"{name} holds real numbers up to {highest:g}, so that full brightness is unknown; "
        "scale it to 0..1 or 0..255"
    )


def _full_scale(pixels: NDArray[np.generic], values: NDArray[np.float64], name: str) -> float:
    if pixels.dtype.kind == "f":
        scale = float_scale(float(values.max(initial=0)))
        if scale is None:
            raise _unknown_white(name, float(values.max()))
        return scale
    return float(find_white(pixels) or 255)
