"""The keys on an overlay over the canvas, and a window to change them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_active_seg.errors import ConfigError
from napari_active_seg.gui.annotate.napari_keys import list_napari_keys
from napari_active_seg.gui.annotate.shortcuts import ACTIONS, HANDS, KeyBook, describe_key
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.gui.shell.focus import key_of

__all__ = ["KeyHelp", "KeysDialog"]

#: A canvas wider than this has room for two columns.
_WIDE = 720
_OVERLAY = (
    "background: rgba(20, 22, 28, 225); color: white; padding: 10px; border-radius: 8px;"
    "font-size: 11px;"
)


class KeyHelp(QLabel):  # type: ignore[misc]
    """Lists the keys over the canvas; ``?`` shows it, the next key or click puts it away."""

    def __init__(self, canvas: QWidget, book: Callable[[], KeyBook]) -> None:
        super().__init__(canvas)
        self._canvas, self._book = canvas, book
        self.setStyleSheet(_OVERLAY)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.hide()
        canvas.installEventFilter(self)

    def release(self) -> None:
        """Let go of the canvas."""
        self._canvas.removeEventFilter(self)
        self.hide()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Show the keys at ``?``, wherever it lies on the keyboard."""
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.text() == "?" and not self.isVisible():
                self.show_keys()
                return True
            if self.isVisible() and event.key() not in (Qt.Key.Key_Shift, Qt.Key.Key_Alt):
                self.hide()
                return event.text() == "?" or event.key() == Qt.Key.Key_Escape
        elif kind == QEvent.Type.MouseButtonPress and self.isVisible():
            self.hide()
        return bool(super().eventFilter(watched, event))

    def show_keys(self) -> None:
        """Lay the list over the middle of the canvas."""
        keys = self._book().keys
        cells = [(describe_key(keys[name]), action.description) for name, action in ACTIONS.items()]
        cells += [
            ("Alt+1, 2, ...", "paint a class, or answer"),
            ("Ctrl+Z", "undo"),
            ("Ctrl+Shift+Z", "redo"),
            ("Space", "hold it and drag to move the image"),
        ]
        room = self._canvas.size()
        columns = 2 if room.width() > _WIDE else 1
        length = -(-len(cells) // columns)
        rows = [
            "".join(f"<td><b>{key}</b>&nbsp;&nbsp;</td><td>{does}&nbsp;&nbsp;</td>"
                    for key, does in cells[k::length])
            for k in range(length)
        ]  # fmt: skip
        rows = [f"<tr>{row}</tr>" for row in rows]
        self.setText("<table cellspacing='2'>" + "".join(rows) + "</table>")
        self.adjustSize()
        self.resize(min(self.width(), room.width() - 8), min(self.height(), room.height() - 8))
        self.move((room.width() - self.width()) // 2, (room.height() - self.height()) // 2)
        self.show()
        self.raise_()


class KeysDialog(QDialog):  # type: ignore[misc]
    """A list of actions: choose one and press its new key."""

    def __init__(self, context: DockContext, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keys")
        self._context, self._parent = context, parent
        self.hand = QComboBox()
        for name, said in HANDS.items():
            self.hand.addItem(said, name)
        self.hand.activated.connect(self._choose_hand)
        self.table = QTableWidget(len(ACTIONS), 2)
        self.table.setHorizontalHeaderLabels(["key", "does"])
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.installEventFilter(self)
        self.said = QLabel("Choose a line and press the new key")
        self.said.setWordWrap(True)
        reset = QPushButton("Back to the usual keys")
        reset.clicked.connect(self._reset)
        layout = QVBoxLayout(self)
        for widget in (self.hand, self.table, self.said):
            layout.addWidget(widget)
        layout.addWidget(reset)
        self.resize(440, 560)
        self._show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Take the key that is pressed for the action that is chosen."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = key_of(event)
            if key is not None:
                self._take(key)
                return True
        return bool(super().eventFilter(watched, event))

    def _take(self, key: str) -> None:
        row = self.table.currentRow()
        if row < 0:
            return
        now, name = self._context.preferences.now, tuple(ACTIONS)[row]
        try:
            used = list_napari_keys(self._parent)
            KeyBook(now.hand, now.keys).with_key(name, key, napari_keys=used)
        except ConfigError as error:
            self.said.setText(str(error))
            return
        self._context.preferences.change(keys={**now.keys, name: key})
        self.said.setText(f"{describe_key(key)}: {ACTIONS[name].description}")
        self._show()

    def _choose_hand(self, index: int) -> None:
        self._context.preferences.change(hand=self.hand.itemData(index))
        self._show()

    def _reset(self) -> None:
        self._context.preferences.change(keys={})
        self._show()

    def _show(self) -> None:
        now = self._context.preferences.now
        self.hand.setCurrentIndex(self.hand.findData(now.hand))
        book = KeyBook(now.hand, now.keys)
        for row, (name, action) in enumerate(ACTIONS.items()):
            self.table.setItem(row, 0, QTableWidgetItem(describe_key(book.keys[name])))
            self.table.setItem(row, 1, QTableWidgetItem(action.description))
