"""Removes layers without a full garbage collection for each.

napari collects all garbage whenever a layer is removed, so that the OpenGL objects of the layer are
deleted before the scene is drawn again. With torch in the process one collection takes a third of a
second or more, and a project has six layers. Nothing is gained here: ``hold_drawn`` keeps the
OpenGL objects of our layers as long as the window. napari offers no way to leave it out.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quick_collections"]


@contextmanager
def quick_collections() -> Iterator[None]:
    """Let whoever asks for a full collection have one of the youngest objects alone."""
    full = gc.collect

    def young(generation: int = 2) -> int:
        return full(min(generation, 0))

    gc.collect = young
    try:
        yield
    finally:
        gc.collect = full
