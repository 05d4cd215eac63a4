"""A titled group of a panel that renders itself."""

from __future__ import annotations

from qtpy.QtWidgets import QGroupBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.session import Session, ViewState

__all__ = ["Box", "row"]


class Box(QGroupBox):  # type: ignore[misc]
    """Part of a panel: ``render_state`` is quick, ``show_known`` may read the diary."""

    title_text = ""

    def __init__(self, desk: DockContext) -> None:
        super().__init__(self.title_text)
        self.desk = desk
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(8, 14, 8, 6)
        self.body.setSpacing(4)
        self.build()

    def build(self) -> None:
        """Lay out the widgets in ``body``."""

    def render_state(self, session: Session, view: ViewState) -> None:
        """Draw what a state says by itself."""

    def show_known(self, session: Session) -> None:
        """Draw what has to be looked up."""


def row(*widgets: QWidget) -> QWidget:
    """Return widgets side by side."""
    line = QWidget()
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return line
