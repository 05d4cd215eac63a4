"""A figure that is drawn in the background and shown when it is ready."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.compat import isalive

from napari_active_seg.gui.panels.base import Picture
from napari_active_seg.gui.shell.background_task import BackgroundTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DRAWING", "Plot"]

#: Held while a thread draws: matplotlib has caches of fonts and texts that threads must not share.
DRAWING = threading.Lock()


class Plot(Picture):
    """Shows one figure at a time; the newest request wins."""

    def __init__(self, on_failed: Callable[[Exception], None]) -> None:
        super().__init__()
        self._task = BackgroundTask(on_failed)

    @property
    def is_drawing(self) -> bool:
        """Whether a figure is being drawn."""
        return self._task.is_running

    def draw(self, draw: Callable[[], Figure]) -> None:
        """Show the figure that ``draw`` returns; it runs in a background thread."""

        def render(_progress: object) -> object:
            from napari_active_seg.figures import figure_png  # matplotlib loads in this thread

            with DRAWING:
                return figure_png(draw(), dpi=100)

        self._task.run(render, self._show)

    def clear(self) -> None:
        """Show nothing, and forget a figure that is being drawn."""
        self._task.forget()
        self.show_png(b"")

    def release(self) -> None:
        """Forget a figure that is being drawn; the window may be gone already."""
        self._task.forget()

    def _show(self, png: object) -> None:
        if isinstance(png, bytes) and isalive(self):
            self.show_png(png)
