"""Makes the strip's pictures in a thread of their own, those that are looked at first."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtGui import QImage

from napari_active_seg.errors import ActiveSegError
from napari_active_seg.project import Project, QueuedRegion
from napari_active_seg.session.thumbnails import Thumbnail, Thumbnails

__all__ = ["ThumbnailLoader"]

#: Pictures that are kept, and requests that are; older ones are asked for again when seen again.
_KEPT, _ASKED = 800, 60

Key = tuple[str, object]


class ThumbnailLoader:
    """Pictures by region and by what they show; ``made`` tells when one is there."""

    made = Signal(str)  # id of the region

    def __init__(self, project: Project, *, side: int) -> None:
        self._thumbnails = Thumbnails(project, side=side)
        self._pictures: OrderedDict[Key, QImage | None] = OrderedDict()
        self._wanted: OrderedDict[Key, tuple[QueuedRegion, str | None]] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def picture(
        self, queued: QueuedRegion, *, measure: str | None, version: object
    ) -> QImage | None:
        """Return a picture; None until it is made, or where the image cannot be read."""
        key = (queued.id, (measure, version))
        with self._changed:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
            self._wanted[key] = (queued, measure)
            self._wanted.move_to_end(key)
            while len(self._wanted) > _ASKED:
                self._wanted.popitem(last=False)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._loop, name="active-seg-strip", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
        return None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closing = True
            self._wanted.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                key, (queued, measure) = self._wanted.popitem(last=True)
            try:
                image = _image(self._thumbnails.make(queued, measure=measure))
            except ActiveSegError:
                image = None  # the file is missing; the list of images says so
            with self._changed:
                self._pictures[key] = image
                while len(self._pictures) > _KEPT:
                    self._pictures.popitem(last=False)
                closing = self._closing
            if not closing:
                self.made.emit(queued.id)


def _image(thumbnail: Thumbnail) -> QImage:
    pixels: NDArray[np.floating] = thumbnail.pixels.astype(np.float32)
    if thumbnail.heat is not None and thumbnail.heat.shape == pixels.shape[:2]:
        heat = np.sqrt(thumbnail.heat)  # the lower half of the scale is where most of it is
        scale = ensure_colormap("magma").map(0.25 + 0.75 * heat)
        colours = scale[..., :3].astype(np.float32) * 255
        opacity = (0.75 * np.clip(1.6 * heat, 0, 1))[..., None]
        pixels = pixels * (1 - opacity) + colours * opacity
    shown = np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))
    height, width = shown.shape[:2]
    return QImage(shown.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
