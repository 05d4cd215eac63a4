"""Our layers by role: made once, given new data, put away and brought back in their order.

napari collects garbage at each removal, which is slow in a process that has loaded torch, and new
layers take a tenth of a second each. So one stock serves all projects of a window in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_active_seg.gui.garbage import quick_collections

__all__ = ["ROLE_KEY", "LayerStock"]

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


class LayerStock:
    """Adds layers below those that belong above them; a person's own stay untouched."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[str, Any] = {}
        self._put_away: dict[str, bool] = {}  # roles hidden by us, and whether they were visible

    def get(self, role: str) -> Any:
        """Return the layer of a role, as long as the person has not removed it."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self._viewer.layers else None

    def is_away(self, role: str) -> bool:
        """Return whether we have put a layer away."""
        return role in self._put_away

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
        if layer is not None and role in self._put_away:
            layer.visible = self._put_away.pop(role)

    def keep(self, role: str, layer: Any, *, top: Layer | None = None) -> Any:
        """Remember a new layer under its role, and bring ours into their order.

        The mouse goes on working on ``top``.
        """
        if self._layers.get(role) is layer:
            return layer
        self._put_away.pop(role, None)
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
            layer.visible = False

    def toggle(self, role: str) -> None:
        """Show or hide a layer that is not put away."""
        layer = self._layers.get(role)
        if layer is not None and role not in self._put_away:
            layer.visible = not layer.visible

    def hand_over(self, *, without: str) -> None:
        """Hide every layer for the next project, as if new; remove the one of a role."""
        kept = {role: layer for role, layer in self._layers.items() if role != without}
        gone = self._layers.get(without)
        self._layers = {} if gone is None else {without: gone}
        self.clear()
        for role, layer in kept.items():
            layer.visible = False
            self._put_away[role] = True
        self._layers = kept

    def clear(self) -> None:
        """Remove every layer of ours."""
        with quick_collections():
            for layer in self._layers.values():
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
        self._layers.clear()
        self._put_away.clear()
