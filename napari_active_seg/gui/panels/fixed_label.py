"""A label that is equally high whatever it says, so that nothing around it moves."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel

__all__ = ["FixedLabel"]

#: Where the text of other labels begins, in pixels.
_LEFT = 4


class FixedLabel(QLabel):  # type: ignore[misc]
    """Wraps its text into a fixed number of lines; the tip should have what is cut off."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._lines = lines
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.setIndent(0)  # Qt would indent from the top too, and cut the last line
        self.setContentsMargins(_LEFT, 0, 0, 0)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Follow the font, which the window's style sets."""
        done = bool(super().event(event))
        if event.type() in (QEvent.Type.Polish, QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()
        return done

    def _fit(self) -> None:
        height = self.fontMetrics().lineSpacing() * self._lines + 2
        if height != self.height() or height != self.minimumHeight():
            self.setFixedHeight(height)
