"""Keys that work while the paint layer has the focus; none is a bare digit or letter.

napari's labels layer takes most bare keys, so ours hold Shift, and Alt for classes. They are
bound to the viewer and, since a layer's own keys come first, to the paint layer too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["KEYS", "bind_keys", "unbind_keys"]

#: What each key does, in the words of the help.
KEYS: dict[str, str] = {
    "Shift-N": "next region",
    "Shift-A": "accept the prediction as a draft",
    "Shift-D": "done",
    "Shift-S": "skip",
    "Shift-T": "can't tell",
    "Shift-L": "later",
    "Shift-R": "reopen a finished region",
    "Shift-U": "show or hide the uncertainty",
    "Shift-P": "show or hide the prediction",
    "Shift-Z": "zoom to the region",
}


def bind_keys(keymap_owner: Any, actions: Mapping[str, Callable[[], object]]) -> None:
    """Bind ``actions`` by key to a viewer or a layer."""
    for key, action in actions.items():
        keymap_owner.bind_key(key, _ignoring_arguments(action), overwrite=True)


def unbind_keys(keymap_owner: Any, keys: Mapping[str, object]) -> None:
    """Give the keys back."""
    for key in keys:
        keymap_owner.bind_key(key, None, overwrite=True)


def _ignoring_arguments(action: Callable[[], object]) -> Callable[[Any], None]:
    def pressed(_owner: Any) -> None:
        action()

    return pressed
