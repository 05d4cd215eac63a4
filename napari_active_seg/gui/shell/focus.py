"""Where the keyboard is: the canvas has it, unless a person types into a field.

Lists, combo boxes and buttons would take the keyboard at a click and search their entries for the
letter of a key of ours. In the dock the canvas gets it back at once; in napari's own layer list and
layer controls, which have keys of their own, ours are passed on to the canvas.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

__all__ = ["CanvasFocus", "key_of"]

#: The docks of napari from which our keys reach the canvas, by the names that Qt knows them by.
_NAPARI_DOCKS = ("layer list", "layer controls")
_ENDS_TYPING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
_MANY_LINES = (QPlainTextEdit, QTextEdit)
_TABS = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_NAMED = {
    Qt.Key.Key_Up: "Up",
    Qt.Key.Key_Down: "Down",
    Qt.Key.Key_Left: "Left",
    Qt.Key.Key_Right: "Right",
    Qt.Key.Key_Home: "Home",
    Qt.Key.Key_End: "End",
}
_MODIFIERS = (
    ("Control", Qt.KeyboardModifier.ControlModifier),
    ("Shift", Qt.KeyboardModifier.ShiftModifier),
    ("Alt", Qt.KeyboardModifier.AltModifier),
)


class CanvasFocus(QObject):  # type: ignore[misc]
    """Returns the keyboard to the canvas after a click in the dock.

    A text field keeps it until Enter, Escape or a click elsewhere; what is reached by the Tab key
    keeps it too. ``keys`` returns the keys that are bound to the canvas now.
    """

    def __init__(self, dock: QWidget, canvas: QWidget, keys: Callable[[], Collection[str]]) -> None:
        super().__init__()
        self._dock, self._canvas, self._keys = dock, canvas, keys
        self._watched: QWidget | None = None
        self._tabbed = False
        app = QApplication.instance()
        app.focusChanged.connect(self._on_focus)
        self._on_focus(None, app.focusWidget())

    def release(self) -> None:
        """Stop following the keyboard."""
        QApplication.instance().focusChanged.disconnect(self._on_focus)
        self._watch(None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Pass a key of ours on to the canvas, and see where typing ends."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            self._tabbed = event.key() in _TABS
            if _takes_text(watched):
                if event.key() in _ENDS_TYPING and not isinstance(watched, _MANY_LINES):
                    QTimer.singleShot(0, self._focus_canvas)  # once the field has its key
            elif event.text() == "?" or key_of(event) in self._keys():
                QApplication.sendEvent(self._canvas, event)
                return True
        return bool(super().eventFilter(watched, event))

    def _on_focus(self, _old: QWidget | None, new: QWidget | None) -> None:
        tabbed, self._tabbed = self._tabbed, False
        self._watch(None)
        if new is None or not (isalive(self._dock) and isalive(self._canvas)):
            return
        if new is self._canvas:
            return
        if new is self._canvas.window():  # has it after a click on nothing that takes it
            self._focus_canvas()
            return
        in_dock = self._dock.isAncestorOf(new) and new.window() is self._dock.window()
        if in_dock and not (tabbed or _takes_text(new) or isinstance(new, QLabel)):
            self._focus_canvas()
        elif in_dock or (_is_in_napari_dock(new) and not _takes_text(new)):
            self._watch(new)

    def _focus_canvas(self) -> None:
        if isalive(self._canvas):
            self._canvas.setFocus(Qt.FocusReason.OtherFocusReason)
            if QApplication.focusWidget() is not self._canvas:  # the dock floats as a window
                self._watch(QApplication.focusWidget())

    def _watch(self, widget: QWidget | None) -> None:
        if self._watched is not None and isalive(self._watched):
            self._watched.removeEventFilter(self)
        self._watched = widget
        if widget is not None:
            widget.installEventFilter(self)


def key_of(event: QKeyEvent) -> str | None:
    """Return the key of an event as keys are bound; None for a modifier alone, or a bare key."""
    code = event.key()
    name = _NAMED.get(code)
    if name is None and (
        Qt.Key.Key_A <= code <= Qt.Key.Key_Z or Qt.Key.Key_0 <= code <= Qt.Key.Key_9
    ):
        name = chr(code)
    if name is None and Qt.Key.Key_F1 <= code <= Qt.Key.Key_F12:
        name = f"F{code - Qt.Key.Key_F1 + 1}"
    held = event.modifiers()
    modifiers = [word for word, flag in _MODIFIERS if held & flag]
    if name is None or not modifiers:
        return None
    return "-".join([*modifiers, name])


def _takes_text(widget: QObject) -> bool:
    if isinstance(widget, QComboBox):
        return bool(widget.isEditable())
    return isinstance(widget, (QLineEdit, QAbstractSpinBox, *_MANY_LINES))


def _is_in_napari_dock(widget: QWidget) -> bool:
    parent: QObject | None = widget
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent is not None and parent.objectName() in _NAPARI_DOCKS
