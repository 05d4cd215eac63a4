"""The classes of a project: add, rename, recolour, reorder, merge, and undo each of these."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QGridLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_active_seg.gui.panels.base import button, text_label
from napari_active_seg.gui.panels.reasons import allow_inside
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.gui.shell.dialogs import ask_colour, ask_one_of, ask_text
from napari_active_seg.regions import LabelSchema
from napari_active_seg.session import Session
from napari_active_seg.session.view_state import READ_ONLY

__all__ = ["ClassesBox", "swatch"]


class ClassesBox(QWidget):  # type: ignore[misc]
    """A list of the classes with what can be done to the chosen one."""

    def __init__(self, context: DockContext) -> None:
        super().__init__()
        self._context = context
        self._schema: LabelSchema | None = None
        self.list = QListWidget()
        self.list.setFixedHeight(84)
        self.add = button("Add", self._add, "A new class; nothing that is labelled changes")
        self.rename = button("Rename", self._rename)
        self.recolour = button("Colour", self._recolour)
        self.up = button("Up", lambda: self._move(-1))
        self.down = button("Down", lambda: self._move(1))
        self.merge = button("Merge into", self._merge, "Count one class as another from now on")
        self.undo = button("Undo", self._undo, "Take the latest change of classes back")
        grid = QGridLayout()
        buttons = (self.add, self.rename, self.recolour, self.up, self.down, self.merge, self.undo)
        for place, made in enumerate(buttons):
            grid.addWidget(made, place // 4, place % 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list)
        layout.addLayout(grid)
        layout.addWidget(text_label("Labels are kept through every change; each can be undone."))

    def render_state(self, session: Session) -> None:
        """Show the classes that are in force."""
        allow_inside(self, READ_ONLY if session.state.read_only else "")
        schema = session.state.schema
        if schema == self._schema:
            return
        self._schema = schema
        row = max(self.list.currentRow(), 0)
        self.list.clear()
        for name, colour in zip(schema.names, schema.colours, strict=True):
            self.list.addItem(QListWidgetItem(swatch(colour), name))
        self.list.setCurrentRow(min(row, len(schema) - 1))

    @property
    def chosen(self) -> str:
        """The class that the list points at."""
        item = self.list.currentItem()
        return "" if item is None else str(item.text())

    def _with_session(self, verb: Callable[[Session], object]) -> None:
        self._context.with_session(verb)()

    def _add(self) -> None:
        name = ask_text(self, "New class", "Name of the new class")
        if name is not None:
            self._with_session(lambda session: session.maintenance.add_class(name))

    def _rename(self) -> None:
        old = self.chosen
        name = ask_text(self, "Rename", f"New name of {old}", old)
        if name is not None and name != old:
            self._with_session(lambda session: session.maintenance.rename_class(old, name))

    def _recolour(self) -> None:
        if self._schema is None or not self.chosen:
            return
        name = self.chosen
        colour = ask_colour(self, self._schema.colours[self._schema.index(name)])
        if colour is not None:
            self._with_session(lambda session: session.maintenance.recolour_class(name, colour))

    def _move(self, by: int) -> None:
        if self._schema is None or not self.chosen:
            return
        names = list(self._schema.names)
        old = names.index(self.chosen)
        new = old + by
        if 0 <= new < len(names):
            names.insert(new, names.pop(old))
            self.list.setCurrentRow(new)
            self._with_session(lambda session: session.maintenance.reorder_classes(names))

    def _merge(self) -> None:
        if self._schema is None or not self.chosen:
            return
        name = self.chosen
        others = [other for other in self._schema.names if other != name]
        into = ask_one_of(self, "Merge", f"Count {name} as", others)
        if into is not None:
            self._with_session(lambda session: session.maintenance.merge_classes(name, into))

    def _undo(self) -> None:
        self._with_session(lambda session: session.maintenance.undo_class_change())


def swatch(colour: str) -> QIcon:
    """Return a small square of a colour."""
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
