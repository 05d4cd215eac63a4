"""Keys that work while the paint layer has the focus; none is a bare digit or letter.

napari's labels layer takes most bare keys, so ours hold Shift, Ctrl and Shift, or Alt for classes.
They are bound to the viewer where nobody else has bound them, and, since a layer's own keys come
first, to the paint layer too. Keys that napari uses itself (``napari_keys.py``) are never ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from napari_active_seg.errors import ConfigError, did_you_mean

__all__ = [
    "ACTIONS",
    "CLASS_KEYS",
    "HANDS",
    "KeyAction",
    "KeyBook",
    "bind_keys",
    "describe_key",
    "unbind_keys",
]


@dataclass(frozen=True, slots=True)
class KeyAction:
    """What a key does, in the words of the help, and its key for either hand.

    ``left`` is for those who hold mouse or pen in the left hand, and the keyboard with the right.
    """

    description: str
    right: str
    left: str


ACTIONS: dict[str, KeyAction] = {
    "next": KeyAction("next region", "Shift-N", "Shift-N"),
    "back": KeyAction("back to the region before", "Shift-B", "Shift-H"),
    "accept": KeyAction("lay the prediction in as a draft", "Shift-A", "Shift-J"),
    "done": KeyAction("done", "Shift-D", "Shift-K"),
    "skip": KeyAction("skip", "Shift-S", "Shift-L"),
    "cant_tell": KeyAction("can't tell", "Shift-T", "Shift-I"),
    "later": KeyAction("later", "Shift-L", "Shift-O"),
    "reopen": KeyAction("reopen a finished region", "Shift-R", "Shift-R"),
    "whole": KeyAction("the whole region is of this class", "Shift-W", "Shift-W"),
    "rest": KeyAction(
        "fill the unpainted rest of the region with background",
        "Control-Shift-R",
        "Control-Shift-J",
    ),
    "brush": KeyAction("brush", "Shift-C", "Shift-P"),
    "polygon": KeyAction("polygon", "Shift-G", "Shift-G"),
    "fill": KeyAction("fill", "Shift-F", "Shift-U"),
    "smart_fill": KeyAction("smart fill: drag to take more or less", "Shift-M", "Shift-Y"),
    "click": KeyAction(
        "outline what is clicked on, or drag a box around it", "Control-Shift-A", "Control-Shift-K"
    ),
    "erase": KeyAction("erase", "Shift-E", "Shift-M"),
    "lasso": KeyAction("lasso: copy the prediction inside a loop", "Shift-O", "Shift-F"),
    "smaller": KeyAction("smaller brush", "Shift-Left", "Shift-Left"),
    "larger": KeyAction("larger brush", "Shift-Right", "Shift-Right"),
    "keep_others": KeyAction("do not paint over other classes", "Shift-Q", "Shift-Q"),
    "snap": KeyAction("snap this class to the image's edges", "Shift-K", "Shift-S"),
    "smooth": KeyAction("smooth all edges", "Shift-J", "Shift-D"),
    "specks": KeyAction("remove specks and gaps", "Shift-X", "Shift-X"),
    "prediction": KeyAction("show or hide the prediction", "Shift-P", "Shift-A"),
    "uncertainty": KeyAction("show or hide the uncertainty", "Shift-U", "Shift-E"),
    "labels": KeyAction("show or hide the labels so far", "Shift-I", "Shift-T"),
    "image": KeyAction("show or hide the image", "Shift-H", "Shift-C"),
    "zoom": KeyAction("zoom to the region", "Shift-Z", "Shift-Z"),
    "label_here": KeyAction("label here: place a region of your own", "Alt-R", "Alt-N"),
    "most_uncertain": KeyAction("jump to the most uncertain place", "Shift-Y", "Shift-B"),
    "propose": KeyAction("propose regions", "Control-Shift-N", "Control-Shift-N"),
    "train": KeyAction("train on the finished regions", "Control-Shift-L", "Control-Shift-L"),
}
HANDS = {"right": "mouse or pen in the right hand", "left": "mouse or pen in the left hand"}
#: Keys that choose a class, or answer a question, by its number.
CLASS_KEYS = tuple(f"Alt-{number}" for number in range(1, 10))
_FORM = re.compile(r"((Shift|Alt|Control)-)+([A-Z]|F\d{1,2}|Up|Down|Left|Right|Home|End)")


class KeyBook:
    """Which key does what: those for a hand, with a person's own changes."""

    def __init__(self, hand: str = "right", own: Mapping[str, str] | None = None) -> None:
        if hand not in HANDS:
            raise ConfigError(f"no hand {hand!r}: {did_you_mean(hand, HANDS)}")
        usual = {name: getattr(action, hand) for name, action in ACTIONS.items()}
        kept = {name: key for name, key in (own or {}).items() if name in ACTIONS}
        self._own = frozenset(kept)
        self.keys: dict[str, str] = {**usual, **kept}

    def with_key(
        self, name: str, key: str, *, napari_keys: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return all keys with that of one action changed; ConfigError where it cannot be.

        ``napari_keys`` gives what napari uses a key for, by the key as people write it.
        """
        if key in CLASS_KEYS:
            raise ConfigError(f"{describe_key(key)} is the key for: paint a class; choose another")
        if not _FORM.fullmatch(key):
            raise ConfigError(
                f"{describe_key(key)} cannot be a key here: it needs Shift, Alt or Ctrl with a "
                "letter, an arrow or a function key, since napari takes the bare ones"
            )
        taken = [other for other, k in self.keys.items() if k == key and other != name]
        if taken:
            does = ACTIONS[taken[0]].description
            raise ConfigError(f"{describe_key(key)} is the key for: {does}; choose another")
        used_for = (napari_keys or {}).get(describe_key(key))
        if used_for is not None:
            raise ConfigError(
                f"{describe_key(key)} is a key of napari's own, for: {used_for}; choose another"
            )
        return {**self.keys, name: key}

    def bindings(self, does: Mapping[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
        """Return what is done by key, for actions by name.

        A key that a person has chosen for one action is not another's, although it is its default.
        """
        chosen = sorted((name for name in does if name in self.keys), key=self._own.__contains__)
        return {self.keys[name]: does[name] for name in chosen}


def describe_key(key: str) -> str:
    """Return a key as people write it."""
    return key.replace("Control", "Ctrl").replace("-", "+")


def bind_keys(keymap_owner: Any, actions: Mapping[str, Callable[[], object]]) -> list[str]:
    """Bind ``actions`` by key to a viewer or a layer; return the keys that were free to take.

    A key that somebody else has bound there stays theirs.
    """
    taken = {str(key) for key in keymap_owner.keymap}
    bound = []
    for key, action in actions.items():
        if describe_key(key) not in taken:
            keymap_owner.bind_key(key, _ignoring_arguments(action))
            bound.append(key)
    return bound


def unbind_keys(keymap_owner: Any, keys: list[str]) -> None:
    """Give the keys back."""
    for key in keys:
        keymap_owner.bind_key(key, None)


def _ignoring_arguments(action: Callable[[], object]) -> Callable[[Any], None]:
    def pressed(_owner: Any) -> None:
        action()

    return pressed
