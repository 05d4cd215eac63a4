"""Asks who labels, at first start: a line, not a question that stops anything."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from napari_active_seg.gui.panels.base import button
from napari_active_seg.gui.shell.context import DockContext

__all__ = ["NameBar"]


class NameBar(QWidget):  # type: ignore[misc]
    """Shown until a name is given; every label bears it."""

    def __init__(self, context: DockContext) -> None:
        super().__init__()
        self._context = context
        self.line = QLineEdit()
        self.line.setPlaceholderText("your name, which your labels will bear")
        self.line.returnPressed.connect(self._keep)
        self.keep = button("Keep", self._keep)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Who labels?"))
        layout.addWidget(self.line, 1)
        layout.addWidget(self.keep)
        if context.preferences.now.name:
            self.hide()

    def _keep(self) -> None:
        name = self.line.text().strip()
        if name:
            self._context.preferences.change(name=name)
            self._context.run(self._context.sign_in)
            self.hide()
