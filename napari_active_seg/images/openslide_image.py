"""Slides that tifffile cannot read, through OpenSlide; needs the extra ``openslide``."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError, MissingExtraError
from napari_active_seg.images.pixel_size import check_plausible_spacing
from napari_active_seg.images.pyramid import Overview
from napari_active_seg.images.source import check_window
from napari_active_seg.images.to_rgb import convert_to_rgb

__all__ = ["OPENSLIDE_SUFFIXES", "OpenSlideImage"]

OPENSLIDE_SUFFIXES = frozenset({".mrxs", ".vms", ".vmu", ".svslide"})
_LARGEST_LOWEST = 4096


class OpenSlideImage:
    """An ImageSource through OpenSlide; label and macro pictures are never read."""

    def __init__(self, path: Path, *, white: int | None = None) -> None:
        self._path = path
        self._turn = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """Pickle as a path."""
        return {"path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` at level 0."""
        return self.level_shapes[0]

    @property
    def white(self) -> int | None:
        """None: OpenSlide gives 8 bits."""
        return None

    @cached_property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x) at level 0."""
        properties = self._slide.properties
        try:
            return check_plausible_spacing(
                float(properties["openslide.mpp-y"]), float(properties["openslide.mpp-x"])
            )
        except (KeyError, ValueError):
            return None

    @cached_property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level; a coarse one is added where the slide has none."""
        shapes = tuple((height, width) for width, height in self._slide.level_dimensions)
        return shapes if self._overview is None else (*shapes, self._overview.shape)

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x) of ``level``."""
        check_window(self._path.name, self.level_shapes, level, y, x, height, width)
        if self._overview is not None and level == len(self.level_shapes) - 1:
            return self._overview.read(y, x, height, width)
        return self._window(level, y, x, height, width)

    def check(self) -> None:
        """Raise ImageError if a pixel of the middle cannot be read."""
        rows, columns = self.shape
        self.read(0, rows // 2, columns // 2, 1, 1)

    def _window(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        import openslide

        factor = self._slide.level_downsamples[level]
        corner = (round(x * factor), round(y * factor))
        try:
            with self._turn:
                picture = self._slide.read_region(corner, level, (width, height))
        except openslide.OpenSlideError as error:
            raise ImageError(f"{self._path.name} cannot be decoded ({error})") from error
        return convert_to_rgb(np.asarray(picture), name=self._path.name, white=None)

    @cached_property
    def _overview(self) -> Overview | None:
        width, height = self._slide.level_dimensions[-1]
        if max(width, height) <= _LARGEST_LOWEST:
            return None
        last = self._slide.level_count - 1
        return Overview(
            lambda y, x, h, w: self._window(last, y, x, h, w),
            (height, width),
            longest=_LARGEST_LOWEST // 2,
        )

    @cached_property
    def _slide(self) -> Any:
        try:
            import openslide
        except ImportError as error:
            raise MissingExtraError(
                f"{self._path.name} needs OpenSlide: pip install napari-active-seg[openslide]"
            ) from error
        try:
            return openslide.OpenSlide(self._path)
        except (openslide.OpenSlideError, OSError) as error:
            raise ImageError(f"{self._path.name} is not a readable slide: {error}") from error
