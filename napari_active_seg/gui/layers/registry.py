"""Our layers by role: made once, given new data, put away and brought back in their order.

napari collects garbage at each removal, which is slow in a process that has loaded torch, and new
layers take a tenth of a second each. So one registry serves all projects of a window in turn.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer, LayerLock

__all__ = ["ROLE_KEY", "LayerRegistry", "quick_collections"]

#: Layers of ours carry their role in their metadata under this key.
ROLE_KEY = "napari_active_seg"
#: From the bottom to the top.
_ORDER = (
    "slide",
    "image",
    "tissue",
    "labels",
    "uncertainty",
    "disagreement",
    "regions",
    "prediction",
    "paint",
)


@contextlib.contextmanager
def quick_collections() -> Iterator[None]:
    """Limit garbage collections to the youngest objects: napari asks for full ones."""
    full = gc.collect

    def young(generation: int = 2) -> int:
        return full(min(generation, 0))

    gc.collect = young
    try:
        yield
    finally:
        gc.collect = full


class LayerRegistry:
    """Adds layers below those that belong above them; a person's own stay untouched."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[str, Any] = {}
        self._put_away: dict[str, bool] = {}  # roles hidden by us, and whether they were visible
        self._is_changing = False
        self._inherited: set[str] = set()  # roles that show the project before, hidden

    def get(self, role: str) -> Any:
        """Return the layer of a role, as long as the person has not removed it."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self._viewer.layers else None

    def is_away(self, role: str) -> bool:
        """Return whether we have put a layer away."""
        return role in self._put_away

    def role_of(self, layer: Layer) -> str | None:
        """Return the role of a layer; None if it is not ours."""
        return next((role for role, kept in self._layers.items() if kept == layer), None)

    @property
    def is_changing(self) -> bool:
        """Whether the program, not the person, changes how a layer looks just now."""
        return self._is_changing

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Mark what is changed meanwhile as done by the program."""
        before, self._is_changing = self._is_changing, True
        try:
            yield
        finally:
            self._is_changing = before

    def show(self, role: str, wanted: bool) -> None:
        """Show or hide a layer; one that we have put away is shown or not when it comes back."""
        layer = self.get(role)
        if role in self._put_away:
            self._put_away[role] = wanted
        elif layer is not None and layer.visible != wanted:
            with self.changing():
                layer.visible = wanted

    def forget(self, role: str) -> None:
        """Let a layer go that somebody has removed; another is made when it is needed again."""
        layer = self._layers.pop(role, None)
        self._put_away.pop(role, None)
        if layer is not None:
            with self.changing():
                layer.visible = False  # what follows it, such as a colour bar, is done with it

    def given(
        self, role: str, make: Callable[[], Layer], data: Any, *, top: Layer | None = None
    ) -> Any:
        """Return the layer of ``role`` with new ``data``, made if it is not there."""
        layer = self.get(role)
        if layer is None:
            made = make()
            if made not in self._viewer.layers:
                self._viewer.add_layer(made)
            return self.keep(role, made, top=top)
        layer.data = data
        self.bring_back(role)
        return layer

    def bring_back(self, role: str) -> None:
        """Show a layer again that we had put away, as visible as it was."""
        layer = self.get(role)
        self._inherited.discard(role)
        if layer is not None and role in self._put_away:
            with self.changing():
                layer.visible = self._put_away.pop(role)

    def keep(self, role: str, layer: Any, *, top: Layer | None = None) -> Any:
        """Remember a new layer under its role, and bring ours into their order.

        The mouse goes on working on ``top``. Nobody deletes it by a key or a button, and nobody
        paints on it or moves it, unless it is the paint layer.
        """
        if self._layers.get(role) is layer:
            return layer
        layer.locked = LayerLock.DELETION
        if role != "paint":
            layer.editable = False
            layer.events.editable.connect(_undo_editing)  # napari allows it with new data
        self._put_away.pop(role, None)
        self._inherited.discard(role)
        layer.metadata[ROLE_KEY] = role
        self._layers[role] = layer
        layers = self._viewer.layers
        for later in _ORDER[_ORDER.index(role) + 1 :]:
            above = self._layers.get(later)
            if above is not None and above in layers and layers.index(above) < layers.index(layer):
                layers.move(layers.index(above), len(layers))
        if top is not None and top in layers:
            layers.selection.active = top
        return layer

    def hide(self, role: str) -> None:
        """Put a layer away."""
        layer = self._layers.get(role)
        if layer is not None and role not in self._put_away:
            self._put_away[role] = layer.visible
            with self.changing():
                layer.visible = False

    def toggle(self, role: str) -> None:
        """Show or hide a layer that is not put away."""
        layer = self._layers.get(role)
        if layer is not None and role not in self._put_away:
            layer.visible = not layer.visible

    def hand_over(self, *, without: str) -> None:
        """Hide every layer for the next project, as if new; remove the one of a role."""
        self._remove(without)
        for role, layer in self._layers.items():
            layer.visible = False
            self._put_away[role] = True
        self._inherited = set(self._layers)

    def drop_inherited(self) -> bool:
        """Remove one layer that still shows the project before; return whether more are left."""
        if self._inherited:
            self._remove(self._inherited.pop())
        return bool(self._inherited)

    def clear(self) -> None:
        """Remove every layer of ours."""
        for role in tuple(self._layers):
            self._remove(role)
        self._inherited.clear()

    def _remove(self, role: str) -> None:
        self._put_away.pop(role, None)
        layer = self._layers.pop(role, None)
        if layer is not None and layer in self._viewer.layers:
            with quick_collections():
                self._viewer.layers.remove(layer)


def _undo_editing(event: Any) -> None:
    """Make a layer as it was before something allowed to edit it."""
    if event.source.editable:
        event.source.editable = False
