"""OME-Zarr pyramids (0.4 and 0.5); needs the extra ``zarr``."""

from __future__ import annotations

import json
import math
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError, MissingExtraError
from napari_active_seg.images.pixel_size import check_plausible_spacing
from napari_active_seg.images.source import check_window
from napari_active_seg.images.to_rgb import convert_to_rgb, find_white_of_windows

__all__ = ["OmeZarrImage", "is_ome_zarr"]

#: A chunk is decoded as a whole, whatever part of it is read.
_LARGEST_CHUNK = 2**27
_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "centimeter": 1e4}


def is_ome_zarr(path: Path) -> bool:
    """Return whether ``path`` is a folder that holds an OME-Zarr image."""
    return path.is_dir() and (_attributes_file(path) is not None)


class OmeZarrImage:
    """An ImageSource of the first multiscale image of an OME-Zarr folder."""

    def __init__(self, path: Path, *, white: int | None = None) -> None:
        self._path = path
        self._white = white

    def __getstate__(self) -> dict[str, object]:
        """Pickle as a path."""
        return {"_path": self._path, "_white": self.__dict__.get("white", self._white)}

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` at level 0."""
        return self.level_shapes[0]

    @cached_property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level."""
        y, x = self._axes.index("y"), self._axes.index("x")
        return tuple((int(a.shape[y]), int(a.shape[x])) for a in self._arrays)

    @cached_property
    def spacing(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x) at level 0."""
        scale = [1.0] * len(self._axes)
        for holder in (self._multiscale, self._multiscale["datasets"][0]):
            for transform in holder.get("coordinateTransformations", []):
                if transform.get("type") == "scale":
                    scale = [a * float(b) for a, b in zip(scale, transform["scale"], strict=True)]
        found: list[float] = []
        for name in "yx":
            place = self._axes.index(name)
            unit = self._multiscale["axes"][place].get("unit")
            if unit not in _MICROMETRES:
                return None
            found.append(scale[place] * _MICROMETRES[unit])
        return check_plausible_spacing(found[0], found[1])

    @property
    def planes(self) -> int:
        """How many planes there are of which the first alone is read; 1 where all are."""
        sizes = dict(zip(self._axes, self._arrays[0].shape, strict=True))
        if sizes.get("c") in (3, 4):
            del sizes["c"]
        return math.prod(int(size) for axis, size in sizes.items() if axis not in "yx")

    @cached_property
    def white(self) -> int | None:
        """The value that stands for white, from the whole lowest level."""
        if self._white is not None:
            return self._white
        lowest = len(self._arrays) - 1
        return find_white_of_windows(
            partial(self._raw, lowest), self.level_shapes[lowest], name=self._path.name
        )

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the window (height, width, 3) uint8 that starts at (y, x) of ``level``."""
        check_window(self._path.name, self.level_shapes, level, y, x, height, width)
        raw = self._raw(level, y, x, height, width)
        return convert_to_rgb(raw, name=self._path.name, white=self.white)

    def check(self) -> None:
        """Raise ImageError if a window of the lowest level cannot be decoded."""
        lowest = len(self.level_shapes) - 1
        self.read(lowest, 0, 0, 1, 1)

    def _raw(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.generic]:
        """Return the pixels (height, width, channels) of the first time point and plane."""
        array = self._arrays[level]
        inside = {"y": slice(y, y + height), "x": slice(x, x + width)}
        if "c" in self._axes:
            channels = int(array.shape[self._axes.index("c")])
            inside["c"] = slice(0, channels if channels in (3, 4) else 1)
        index = tuple(inside.get(axis, 0) for axis in self._axes)
        try:
            pixels = np.asarray(array[index])
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageError(f"{self._path.name} cannot be decoded ({error})") from error
        kept = [axis for axis in self._axes if axis in inside]
        order = [kept.index(axis) for axis in "yxc" if axis in kept]
        pixels = np.transpose(pixels, order)
        return pixels if pixels.ndim == 3 else pixels[..., None]

    @cached_property
    def _multiscale(self) -> dict[str, Any]:
        path = _attributes_file(self._path)
        if path is None:
            raise ImageError(f"{self._path.name} holds no OME-Zarr image")
        try:
            attributes = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ImageError(f"{self._path.name}: {path.name} cannot be read: {error}") from error
        if path.name == "zarr.json":
            attributes = attributes.get("attributes", {})
        found = attributes.get("ome", attributes).get("multiscales")
        if not isinstance(found, list) or not found or not found[0].get("datasets"):
            raise ImageError(f"{self._path.name} names no multiscale image; open one that does")
        multiscale: dict[str, Any] = found[0]
        for dataset in multiscale["datasets"]:
            inside = (self._path / dataset["path"]).resolve()
            if not inside.is_relative_to(self._path.resolve()):
                raise ImageError(f"{self._path.name} points outside itself: {dataset['path']!r}")
        return multiscale

    @cached_property
    def _axes(self) -> list[str]:
        axes = [str(axis["name"]) for axis in self._multiscale.get("axes", [])]
        if "y" not in axes or "x" not in axes:
            raise ImageError(f"{self._path.name} has the axes {axes}; want y and x among them")
        return axes

    @cached_property
    def _arrays(self) -> list[Any]:
        try:
            import zarr
        except ImportError as error:
            raise MissingExtraError(
                f"{self._path.name} is an OME-Zarr; to read it: pip install napari-active-seg[zarr]"
            ) from error
        try:
            arrays = [
                zarr.open_array(self._path / dataset["path"], mode="r")
                for dataset in self._multiscale["datasets"]
            ]
        except (OSError, ValueError, KeyError) as error:
            raise ImageError(f"{self._path.name} cannot be opened ({error})") from error
        for array in arrays:
            size = math.prod(array.chunks)
            if size > _LARGEST_CHUNK:
                raise ImageError(
                    f"{self._path.name} has chunks of {size:,} values, each of which is decoded "
                    f"whole; write it again in chunks of at most {_LARGEST_CHUNK:,}"
                )
        return arrays


def _attributes_file(path: Path) -> Path | None:
    for name in ("zarr.json", ".zattrs"):
        if (path / name).is_file():
            return path / name
    return None
