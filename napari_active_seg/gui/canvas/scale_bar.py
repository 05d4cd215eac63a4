"""A scale bar and the magnification, from the spacing of the image's file.

napari's own bar takes its unit from the scale of layers; ours lie in pixels of the image, so that
places and labels are whole numbers.
"""

from __future__ import annotations

import math
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_active_seg.gui.canvas.overlay_widget import Corner

__all__ = ["ScaleBar", "bar_length"]

_ROUND = (1.0, 2.0, 5.0)
#: A microscope's objective of 10 times gives about a micrometre per pixel.
_TEN_TIMES = 10.0


def bar_length(unit_per_screen_pixel: float, *, wanted: float = 110.0) -> tuple[float, float]:
    """Return a round length and how many screen pixels it takes, ``wanted`` at most."""
    most = wanted * unit_per_screen_pixel
    power = 10.0 ** math.floor(math.log10(most))
    length = max(step * power for step in _ROUND if step * power <= most)
    return length, length / unit_per_screen_pixel


class ScaleBar(Corner):
    """Lies over a corner of the canvas; the mouse does not feel it."""

    def __init__(self, viewer: ViewerModel, canvas: QWidget) -> None:
        super().__init__(canvas, 170, 34, at_top=False)
        self._camera = viewer.scene.camera
        self._spacing: float | None = None
        self._camera.events.zoom.connect(self._on_zoom)

    def show_spacing(self, spacing: tuple[float, float] | None) -> None:
        """Show micrometres for a spacing (y, x), and pixels where there is none."""
        self._spacing = None if spacing is None else float(spacing[1])
        self.place()
        self.show()
        self.update()

    @property
    def summary(self) -> str:
        """What the bar says."""
        zoom = max(float(self._camera.zoom), 1e-9)
        if self._spacing is None:
            length, _ = bar_length(1 / zoom)
            return f"{length:g} px"
        length, _ = bar_length(self._spacing / zoom)
        seen = _TEN_TIMES * zoom / self._spacing
        text = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
        return f"{text}   {seen:.2g}x" if seen < 10 else f"{text}   {seen:.0f}x"

    def release(self) -> None:
        """Let go of camera and canvas."""
        self._camera.events.zoom.disconnect(self._on_zoom)
        super().release()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw bar and words."""
        zoom = max(float(self._camera.zoom), 1e-9)
        _, wide = bar_length((self._spacing or 1.0) / zoom)
        painter = self.painter_on_ground()
        painter.setPen(QPen(QColor("white"), 2))
        right = self.width() - 10
        painter.drawLine(int(right - wide), 26, right, 26)
        painter.setPen(QColor("white"))
        painter.drawText(
            QRectF(6, 3, self.width() - 16, 18), Qt.AlignmentFlag.AlignRight, self.summary
        )
        painter.end()

    def _on_zoom(self, _event: Any = None) -> None:
        self.update()
