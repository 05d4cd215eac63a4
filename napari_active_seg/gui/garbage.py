"""Removes layers without a full garbage collection for each.

napari collects all garbage whenever a layer is removed, so that the OpenGL objects of the layer are
deleted before the scene is drawn again. With torch in the process one collection takes a third of a
second or more, and a project has six layers. Nothing is gained here: ``hold_drawn`` keeps the
OpenGL objects of our layers as long as the window.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quick_collections"]


@contextmanager
def quick_collections() -> Iterator[None]:
    """Leave everything that exists now out of collections; later ones look at it again.

    Does nothing where somebody else has frozen objects: they could not be told from ours.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
