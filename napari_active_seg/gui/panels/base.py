"""What every panel is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from magicgui.types import FileDialogMode
from magicgui.widgets import Container, FileEdit, Widget
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_active_seg.gui.annotate.actions import AnnotateActions
from napari_active_seg.gui.panels.reasons import allow_inside
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.jobs import Progress
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.state import Content

__all__ = [
    "Box",
    "Panel",
    "Picture",
    "button",
    "file_edit",
    "folder_edit",
    "folder_of",
    "form",
    "group",
    "row",
    "sentence",
    "text_label",
]


class Box(QGroupBox):  # type: ignore[misc]
    """Part of a panel: ``render_state`` is quick, ``show_known`` may read the event log."""

    title_text = ""

    def __init__(self, context: DockContext) -> None:
        super().__init__(self.title_text)
        self.context = context
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(8, 14, 8, 6)
        self.body.setSpacing(4)
        self.build()

    def build(self) -> None:
        """Lay out the widgets in ``body``."""

    def render_state(self, session: Session, view: ViewState) -> None:
        """Draw the state."""

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


class Panel(QWidget):  # type: ignore[misc]
    """A tab: ``render_state`` draws a session's state, ``render_closed`` draws none.

    Its widgets are made by ``ensure_built``, when the tab is first needed.
    """

    title = ""

    def __init__(self, context: DockContext, actions: AnnotateActions) -> None:
        super().__init__()
        self.context = context
        self.region_actions = actions
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(4, 8, 4, 4)
        self.body.setSpacing(8)
        self.is_built = False

    def ensure_built(self) -> bool:
        """Make the widgets unless they are there; return whether they had to be made."""
        if self.is_built:
            return False
        self.is_built = True
        self.build()
        self.body.addStretch(1)
        return True

    def build(self) -> None:
        """Lay out the widgets in ``body``."""

    def render_state(self, session: Session, view: ViewState) -> None:
        """Draw the session's current state."""
        allow_inside(self)

    def render_content(self, session: Session, content: Content) -> None:
        """Draw what is stored and the state only refers to."""

    def render_saved(self, session: Session) -> None:
        """Draw that strokes of the current region have reached the disk."""

    def render_progress(self, progress: Progress) -> None:
        """Draw how far the job that runs is."""

    def let_go(self) -> None:
        """Stop what works for the panel in the background; the window may be gone already."""

    def render_closed(self) -> None:
        """Draw that no project is open, and forget what belongs to the one before."""
        allow_inside(self, "No project is open: open one in the Project tab")


def button(text: str, slot: Callable[[], object], tip: str = "") -> QPushButton:
    """Return a push button that calls ``slot``."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.clicked.connect(lambda _checked=False: slot())
    return made


def text_label(text: str = "") -> QLabel:
    """Return a label that wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def sentence(text: str) -> str:
    """Return the text with a large first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def group(title: str, *widgets: QWidget) -> QGroupBox:
    """Return a titled box with ``widgets`` from top to bottom."""
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(8, 16, 8, 8)
    for widget in widgets:
        layout.addWidget(widget)
    return box


class Picture(QWidget):  # type: ignore[misc]
    """A picture as wide as there is room for, up to its own size."""

    def __init__(self) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)

    def show_png(self, png: bytes) -> None:
        """Show another picture; empty bytes show none."""
        self._pixmap = QPixmap()
        self._pixmap.loadFromData(png)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the picture's shape."""
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the picture, smoothly scaled."""
        if not self._pixmap.isNull():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(QRect(0, 0, self._shown_width(), self.height()), self._pixmap)
            painter.end()

    def _shown_width(self) -> int:
        return min(self.width(), self._pixmap.width())

    def _fit(self) -> None:
        wide = max(1, self._pixmap.width())
        self.setFixedHeight(self._pixmap.height() * self._shown_width() // wide)
        self.update()


def form(*fields: Widget) -> QWidget:
    """Return labelled magicgui ``fields`` below each other, no wider than the dock."""
    native: QWidget = Container(widgets=list(fields), labels=True).native
    for box in native.findChildren(QComboBox):
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(6)
    native.layout().setContentsMargins(0, 0, 0, 0)
    return native


def folder_edit(label: str) -> FileEdit:
    """Return a line with a button that asks for a folder; empty at first."""
    return FileEdit(label=label, mode=FileDialogMode.EXISTING_DIRECTORY, nullable=True, value=None)


def file_edit(label: str, kinds: str) -> FileEdit:
    """Return a line with a button that asks for a file of some ``kinds``, such as ``*.csv``."""
    return FileEdit(
        label=label, mode=FileDialogMode.EXISTING_FILE, filter=kinds, nullable=True, value=None
    )


def folder_of(edit: FileEdit) -> Path | None:
    """Return the folder or file that was chosen; None while the line is empty."""
    text = str(edit.line_edit.value or "").strip()
    return Path(text) if text else None
