"""The picture of the region that comes next, read while a person still paints this one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ActiveSegError
from napari_active_seg.images import ImageSource

__all__ = ["ReadAhead"]

_log = logging.getLogger(__name__)
#: Pictures of more pixels are not kept twice.
_LARGEST = 50_000_000


class ReadAhead:
    """Keeps one picture that was read in a thread; whoever takes it gets it alone."""

    def __init__(self, open_source: Callable[[str], ImageSource]) -> None:
        self._open_source = open_source
        self._turn = threading.Lock()
        self._ready: tuple[str, NDArray[np.uint8]] | None = None
        self._thread: threading.Thread | None = None

    def want(self, image_id: str) -> None:
        """Read a picture in the background, unless it is there or another is being read."""
        with self._turn:
            busy = self._thread is not None and self._thread.is_alive()
            if busy or (self._ready is not None and self._ready[0] == image_id):
                return
            name = "active-seg-read-ahead"
            self._thread = threading.Thread(
                target=self._read, args=(image_id,), name=name, daemon=True
            )
            self._thread.start()

    def take(self, image_id: str) -> NDArray[np.uint8] | None:
        """Return a picture that is ready; None where it is not."""
        with self._turn:
            ready, self._ready = self._ready, None
        return ready[1] if ready is not None and ready[0] == image_id else None

    def drop(self) -> None:
        """Forget what was read: its file has changed."""
        self.wait()
        with self._turn:
            self._ready = None

    def wait(self) -> None:
        """Return when nothing is being read."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _read(self, image_id: str) -> None:
        try:
            source = self._open_source(image_id)
            height, width = source.shape
            if len(source.level_shapes) > 1 or height * width > _LARGEST:
                return
            pixels = source.read(0, 0, 0, height, width)
        except (ActiveSegError, OSError) as error:  # told when it comes on screen
            _log.info("not read ahead: %s", error)
            return
        with self._turn:
            self._ready = (image_id, pixels)
