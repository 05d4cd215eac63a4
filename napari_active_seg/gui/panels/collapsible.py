"""A titled section that opens and closes, and remembers which it was."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

from napari_active_seg.gui.shell.preferences import PreferencesFile

__all__ = ["CollapsibleSection"]


class CollapsibleSection(QWidget):  # type: ignore[misc]
    """Widgets below a title that shows or hides them; closed at first.

    Closed, they are hidden rather than flattened, so that the Tab key does not reach them
    (superqt's QCollapsible keeps them in the order of focus).

    Parameters
    ----------
    name
        Key under which the preferences remember whether the section is open.
    """

    def __init__(
        self, title: str, *widgets: QWidget, name: str, preferences: PreferencesFile
    ) -> None:
        super().__init__()
        self._name = name
        self._preferences = preferences
        self.toggle = QToolButton()
        self.toggle.setText(title)
        self.toggle.setCheckable(True)
        self.toggle.setAutoRaise(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.content = QWidget()
        inside = QVBoxLayout(self.content)
        inside.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            inside.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.toggle)
        layout.addWidget(self.content)
        self._show(preferences.now.open_sections.get(name, False))
        self.toggle.toggled.connect(self._remember)

    @property
    def is_open(self) -> bool:
        """Whether the widgets are shown."""
        return bool(self.toggle.isChecked())

    def _remember(self, is_open: bool) -> None:
        self._show(is_open)
        known = self._preferences.now.open_sections
        self._preferences.change(open_sections={**known, self._name: is_open})

    def _show(self, is_open: bool) -> None:
        self.toggle.setChecked(is_open)
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.content.setVisible(is_open)
