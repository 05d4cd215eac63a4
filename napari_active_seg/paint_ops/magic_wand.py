"""The area of like colour around a point of a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color

from napari_active_seg.errors import BadInputError

__all__ = ["MagicWand"]

#: The colour of a point is the mean over this many pixels in each direction.
_ABOUT = 2
#: Colours nearer than this (CIELAB) are alike to the eye, wherever the threshold lies.
_LEAST_APART = 3.0


class MagicWand:
    """Selects areas of similar colour in a picture (H, W, 3) uint8; converts it to Lab once."""

    def __init__(self, pixels: NDArray[np.uint8], *, blur: float = 1.5) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise BadInputError(f"a picture is (H, W, 3), got {pixels.shape}")
        colours = color.rgb2lab(pixels.astype(np.float32) / 255)
        # Lightness separates tissue from glass, but also varies by shading; stains differ in
        # colour.
        colours[..., 0] *= 0.7
        self._colours = ndimage.gaussian_filter(colours, sigma=(blur, blur, 0))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self._colours.shape[0], self._colours.shape[1]

    def around(
        self, y: int, x: int, *, likeness: float = 10.0, reach: int | None = None
    ) -> NDArray[np.bool_]:
        """Return the connected area (H, W) about a point whose colour is at most ``likeness`` off.

        ``likeness`` is a distance in CIELAB; ``reach`` limits how far the area goes from the
        point. Small holes are filled: a nucleus belongs to its gland. The point itself is always
        inside.
        """
        height, width = self.shape
        if not (0 <= y < height and 0 <= x < width):
            raise BadInputError(f"({y}, {x}) lies outside a picture of {height} x {width}")
        rows = _window(y, reach, height)
        columns = _window(x, reach, width)
        part = self._colours[rows, columns]
        at_y, at_x = y - rows.start, x - columns.start
        about = part[_window(at_y, _ABOUT, part.shape[0]), _window(at_x, _ABOUT, part.shape[1])]
        middle = about.reshape(-1, 3).mean(axis=0)
        apart = np.square(part - middle).sum(axis=2)
        alike = apart <= max(likeness, _LEAST_APART) ** 2
        alike[at_y, at_x] = True
        areas, _ = ndimage.label(alike)
        area = areas == areas[at_y, at_x]
        if reach is not None:
            down, right = np.ogrid[: part.shape[0], : part.shape[1]]
            area &= (down - at_y) ** 2 + (right - at_x) ** 2 <= reach**2
        found = np.zeros(self.shape, bool)
        found[rows, columns] = _fill_small_holes(area)
        return found


def _window(middle: int, reach: int | None, length: int) -> slice:
    if reach is None:
        return slice(0, length)
    return slice(max(0, middle - reach), min(length, middle + reach + 1))


def _fill_small_holes(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return an area with what it encloses filled, unless that is larger than a tenth of it."""
    holes, n = ndimage.label(~area)
    if n == 0:
        return area
    sizes = np.bincount(holes.ravel())
    fills = sizes <= 0.1 * np.count_nonzero(area)
    fills[0] = False
    edge = np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])
    fills[edge] = False
    return area | fills[holes]
