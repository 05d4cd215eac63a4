"""Keys that napari uses itself: in its menus, for the viewer, and on labels layers.

A key in a menu, or the underlined letter of a menu with Alt, never reaches the canvas. The keys of
points and shapes layers are left out: they hold only while such a layer is selected.
"""

from __future__ import annotations

from collections.abc import Iterator

from napari.components import ViewerModel
from napari.layers import Labels
from napari.settings import get_settings
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QMainWindow, QMenu, QShortcut, QWidget

__all__ = ["list_napari_keys"]

_ORDER = ("Meta", "Ctrl", "Shift", "Alt")


def list_napari_keys(widget: QWidget) -> dict[str, str]:
    """Return what napari uses each key for, by the key as people write it, such as Ctrl+Shift+T.

    Menus are those of the main window that ``widget`` is in.
    """
    used = {_in_order(key): purpose for key, purpose in _list_layer_keys()}
    window: QWidget | None = widget
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    if window is not None:
        for shortcut in window.findChildren(QShortcut):
            used.setdefault(_in_order(shortcut.key().toString()), "a shortcut of the window")
        for action in window.menuBar().actions():
            menu, title = action.menu(), action.text().replace("&", "")
            used[_in_order(QKeySequence.mnemonic(action.text()).toString())] = f"the {title} menu"
            used.update(() if menu is None else _list_menu_keys(menu))
    used.pop("", None)
    return used


def _list_menu_keys(menu: QMenu) -> Iterator[tuple[str, str]]:
    """Yield the shortcuts of a menu and the menus in it, with the text of their entries."""
    for action in menu.actions():
        for shortcut in action.shortcuts():
            yield _in_order(shortcut.toString()), action.text().replace("&", "").strip(". ")
        if action.menu() is not None:
            yield from _list_menu_keys(action.menu())


def _list_layer_keys() -> Iterator[tuple[str, str]]:
    """Yield the keys of the viewer and of labels layers, with the names of their actions."""
    shortcuts = get_settings().shortcuts.shortcuts
    names = {str(key): name for name, keys in shortcuts.items() for key in keys}
    for owner in (*ViewerModel.__mro__, *Labels.__mro__):
        for key, action in getattr(owner, "class_keymap", {}).items():
            name = names.get(str(key)) or str(getattr(action, "__name__", "an action"))
            yield str(key), name.rpartition(":")[2].replace("_", " ")


def _in_order(key: str) -> str:
    """Return a key with its modifiers in one order, however Qt or napari orders them."""
    held = [word for word in _ORDER if f"{word}+" in key]
    for word in held:
        key = key.replace(f"{word}+", "")
    return "+".join([*held, key])
