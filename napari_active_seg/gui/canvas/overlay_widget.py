"""What lies over a corner of the canvas."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QRectF, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QWidget

__all__ = ["Corner"]

_MARGIN = 10


class Corner(QWidget):  # type: ignore[misc]
    """Stays in a right corner of a canvas; the mouse does not feel it."""

    def __init__(self, canvas: QWidget, width: int, height: int, *, at_top: bool) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFixedSize(width, height)
        self._canvas, self._at_top = canvas, at_top
        canvas.installEventFilter(self)
        self.hide()

    def release(self) -> None:
        """Let go of the canvas."""
        self._canvas.removeEventFilter(self)
        self.hide()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay in the corner."""
        if event.type() == QEvent.Type.Resize:
            self.place()
        return bool(super().eventFilter(watched, event))

    def place(self) -> None:
        """Go to the corner."""
        room = self._canvas.size()
        down = _MARGIN if self._at_top else room.height() - self.height() - _MARGIN
        self.move(room.width() - self.width() - _MARGIN, down)

    def painter_on_ground(self) -> QPainter:
        """Return a painter over a dark ground, so that any tissue lets white words be read."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        return painter
