"""What the colours of a map mean, over a corner of the canvas.

napari's own bar is drawn with the picture, and takes more of a frame than all layers together
where there is no graphics card.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPaintEvent
from qtpy.QtWidgets import QWidget

from napari_active_seg.gui.canvas.overlay_widget import Corner

__all__ = ["ColourBar"]

_STEPS = 128


class ColourBar(Corner):
    """Shows the scale of the topmost map that is visible."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas, 186, 50, at_top=True)
        self._layers: list[Any] = []

    @property
    def summary(self) -> str:
        """The measure and its unit."""
        layer = self._shown
        return "" if layer is None else str(layer.name)

    @property
    def ends(self) -> tuple[str, str]:
        """What stands at the ends of the scale."""
        layer = self._shown
        low, high = (0.0, 0.0) if layer is None else layer.contrast_limits
        return f"{low:.2g}", f"{high:.2g}"

    def follow(self, layer: Any) -> None:
        """Show the scale of ``layer`` from now on, while it is visible."""
        if not any(layer is known for known in self._layers):
            self._layers.append(layer)
            for event in ("visible", "contrast_limits", "colormap", "name"):
                getattr(layer.events, event).connect(self._on_change)
        self._on_change()

    def release(self) -> None:
        """Let go of layers and canvas."""
        for layer in self._layers:
            for event in ("visible", "contrast_limits", "colormap", "name"):
                getattr(layer.events, event).disconnect(self._on_change)
        self._layers.clear()
        super().release()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the scale and what it says."""
        layer = self._shown
        if layer is None:
            return
        painter = self.painter_on_ground()
        wide = self.width() - 16
        painter.drawImage(QRectF(8, 20, wide, 9), _strip(layer.colormap))
        painter.setPen(QColor("white"))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        text = painter.fontMetrics().elidedText(self.summary, Qt.TextElideMode.ElideRight, wide)
        painter.drawText(QRectF(8, 2, wide, 17), flags, text)
        low, high = self.ends
        painter.drawText(QRectF(8, 30, wide, 17), flags, low)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(8, 30, wide, 17), right, high)
        painter.end()

    @property
    def _shown(self) -> Any:
        """The last visible of the maps, which lies on top."""
        return next((layer for layer in reversed(self._layers) if layer.visible), None)

    def _on_change(self, _event: Any = None) -> None:
        self.place()
        self.setVisible(self._shown is not None)
        self.update()


def _strip(colours: Any) -> QImage:
    """Return a scale as a picture one pixel high, as it looks on a dark ground."""
    pixels = (np.asarray(colours.map(np.linspace(0, 1, _STEPS))) * 255).astype(np.uint8)
    row = np.ascontiguousarray(pixels[None])
    image = QImage(row.tobytes(), _STEPS, 1, 4 * _STEPS, QImage.Format.Format_RGBA8888)
    return image.copy()
