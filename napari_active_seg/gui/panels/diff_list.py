"""A list that changes only the rows that differ: a thousand rows cost nothing at each stroke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QListWidget, QListWidgetItem

__all__ = ["Listing", "Row"]

_GREY = QColor("#8a8f98")


@dataclass(frozen=True, slots=True)
class Row:
    """A row's id, text, tip, and whether it is dimmed."""

    key: str
    text: str
    tip: str = ""
    grey: bool = False


class Listing(QListWidget):  # type: ignore[misc]
    """Rows by key."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Row, ...] = ()

    def show_rows(self, rows: Sequence[Row], *, current: str | None) -> None:
        """Show ``rows``, with the one whose key is ``current`` chosen; no signal is sent."""
        new = tuple(rows)
        with QSignalBlocker(self):
            if [row.key for row in new] != [row.key for row in self._rows]:
                self.clear()
                for row in new:
                    self.addItem(_dressed(QListWidgetItem(), row))
            else:
                for place, (row, old) in enumerate(zip(new, self._rows, strict=True)):
                    if row != old:
                        _dressed(self.item(place), row)
            self._rows = new
            place = next((k for k, row in enumerate(new) if row.key == current), -1)
            if self.currentRow() != place:
                self.setCurrentRow(place)

    @staticmethod
    def key_of(item: QListWidgetItem) -> str:
        """Return what a row stands for."""
        return str(item.data(Qt.ItemDataRole.UserRole))


def _dressed(item: QListWidgetItem, row: Row) -> QListWidgetItem:
    item.setText(row.text)
    item.setToolTip(row.tip)
    item.setData(Qt.ItemDataRole.UserRole, row.key)
    if row.grey:
        item.setForeground(_GREY)
    return item
