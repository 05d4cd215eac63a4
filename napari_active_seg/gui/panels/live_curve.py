"""The loss while a network learns: points as they come, without waiting for the end."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_active_seg.jobs import Progress

__all__ = ["LiveCurve"]

_LOSS, _HELD_OUT = QColor("#56b4e9"), QColor("#d55e00")
#: No more points than this are kept; of more, every second one goes.
_MOST_POINTS = 600


class LiveCurve(QWidget):  # type: ignore[misc]
    """Two lines: the loss on the labels that are learned from, and on those that are held out."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(110)
        self.losses: list[tuple[int, float]] = []
        self.held_out: list[tuple[int, float]] = []
        self._total = 1

    def begin(self) -> None:
        """Forget the training before."""
        self.losses, self.held_out, self._total = [], [], 1
        self.update()

    def add(self, progress: Progress) -> None:
        """Take in how far a training is."""
        if progress.loss is None:
            return
        if self.losses and progress.done < self.losses[-1][0]:
            self.begin()  # a restart, or another training
        self._total = max(progress.total, 1)
        self.losses.append((progress.done, progress.loss))
        last = self.held_out[-1][1] if self.held_out else None
        if progress.held_out is not None and progress.held_out != last:
            self.held_out.append((progress.done, progress.held_out))
        if len(self.losses) > _MOST_POINTS:
            self.losses = self.losses[::2]
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw axes, lines, and what they are."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(self.palette().ColorRole.Text)
        frame = QRectF(38, 8, self.width() - 46, self.height() - 30)
        painter.setPen(QPen(text, 0.6))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        painter.drawLine(frame.topLeft(), frame.bottomLeft())
        values = [value for _, value in (*self.losses, *self.held_out)]
        highest = max(values, default=1.0) or 1.0
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        painter.setFont(font)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, frame.top() - 6, 34, 14), right, f"{highest:.2f}")
        painter.drawText(QRectF(0, frame.bottom() - 8, 34, 14), right, "0")
        below = QRectF(frame.left(), frame.bottom() + 3, frame.width(), 16)
        for points, colour, name, align in (
            (self.losses, _LOSS, "loss", Qt.AlignmentFlag.AlignLeft),
            (self.held_out, _HELD_OUT, "held out", right),
        ):
            painter.setPen(QPen(colour, 1.6))
            line = QPolygonF(
                [
                    QPointF(
                        frame.left() + frame.width() * step / self._total,
                        frame.bottom() - frame.height() * min(value / highest, 1.0),
                    )
                    for step, value in points
                ]
            )
            painter.drawPolyline(line)
            if points:
                painter.drawText(below, align, f"{name} {points[-1][1]:.3f}")
        painter.end()
