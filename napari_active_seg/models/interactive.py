"""The interface to interactive segmentation by clicks: numpy in, numpy out.

``learning`` implements it for networks of the SAM family; who installs another one registers what
loads it under the entry point group ``napari_active_seg.click_helpers``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ModelError

__all__ = ["InteractiveSegmenter", "Prompts", "registered_click_helpers"]

_GROUP = "napari_active_seg.click_helpers"
Pixel = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts of a person in a picture, in pixels (y, x).

    ``box`` is top, left, bottom and right of an object.
    """

    inside: tuple[Pixel, ...] = ()
    outside: tuple[Pixel, ...] = ()
    box: tuple[float, float, float, float] | None = None


class InteractiveSegmenter(Protocol):
    """Finds the object that a person points at."""

    def set_image(self, image: NDArray[np.uint8]) -> object:
        """Encode a picture (H, W, 3) for ``segment``; this may take seconds."""

    def segment(self, seen: object, hints: Prompts) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of the object; this is quick."""


def registered_click_helpers() -> dict[str, Callable[[], InteractiveSegmenter]]:
    """Return the factory of each registered interactive segmenter, by name."""
    return {
        point.name: partial(_made, point.name, point.load) for point in entry_points(group=_GROUP)
    }


def _made(
    name: str, load: Callable[[], Callable[[], InteractiveSegmenter]]
) -> InteractiveSegmenter:
    try:
        return load()()
    except Exception as error:
        raise ModelError(f"the click helper {name!r} cannot be loaded: {error}") from error
