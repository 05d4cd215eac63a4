"""Keeps napari's layers in step with the session; layers of the person's own stay untouched."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_active_seg.gui.painting import RegionPainter
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import LabelSchema, RegionState, target_to_paint
from napari_active_seg.session import Session, SessionState, ViewState
from napari_active_seg.uncertainty import measure_named

__all__ = ["ROLE_KEY", "LayerBinder", "paint_colours"]

#: Layers of ours carry their role in their metadata under this key.
ROLE_KEY = "napari_active_seg"
_STATE_COLOURS = {
    RegionState.PROPOSED: "#f0e442",
    RegionState.IN_PROGRESS: "#e69f00",
    RegionState.DONE: "#009e73",
    RegionState.SKIPPED: "#999999",
    RegionState.CANT_TELL: "#cc79a7",
    RegionState.LATER: "#56b4e9",
}


def paint_colours(schema: LabelSchema) -> DirectLabelColormap:
    """Return a colormap in which paint k + 1 has the colour of class k and 0 is clear."""
    colours: dict[int | None, str] = {0: "transparent", None: "transparent"}
    colours.update({k + 1: colour for k, colour in enumerate(schema.colours)})
    return DirectLabelColormap(color_dict=colours)


class LayerBinder:
    """Adds, refreshes and removes the session's layers."""

    def __init__(self, viewer: ViewerModel, session: Session, painter: RegionPainter) -> None:
        self._viewer = viewer
        self._session = session
        self._painter = painter
        self._layers: dict[str, Layer] = {}
        self._hidden: set[str] = set()

    def render(self, state: SessionState, old: SessionState | None, view: ViewState) -> None:
        """Apply the difference between two states."""
        new_image = old is None or old.image_id != state.image_id
        if new_image:
            self._painter.put_down()
            self.clear()
            self._show_image(state)
        if new_image or _prediction_key(old) != _prediction_key(state):
            self._show_prediction(state, view)
        if new_image or old is None or old.queue != state.queue or old.region_id != state.region_id:
            self._show_queue(state)
        if new_image or old is None or old.region_id != state.region_id:
            self._take_region(state)

    def clear(self) -> None:
        """Remove every layer of ours."""
        for role in tuple(self._layers):
            self._drop(role)

    def frame_region(self, state: SessionState) -> None:
        """Fit the region in hand to the canvas, with some of its surroundings."""
        layer = self._painter.layer
        if layer is not None and layer in self._viewer.layers and state.region is not None:
            self._viewer.reset_view(layers=[layer], margin=0.3)

    def toggle(self, role: str) -> None:
        """Show or hide one of our layers."""
        layer = self._layers.get(role)
        if layer is not None:
            layer.visible = not layer.visible

    def _show_image(self, state: SessionState) -> None:
        if state.image_id is None:
            return
        pixels = self._session.read_image(state.image_id)
        self._put("image", self._viewer.add_image(pixels, rgb=True, name=state.image_id))
        self._viewer.reset_view()

    def _show_prediction(self, state: SessionState, view: ViewState) -> None:
        if not view.shows_prediction or state.image_id is None:
            self._drop("uncertainty")
            self._drop("prediction")
            return
        prediction = self._session.prediction(state.image_id)
        values = self._session.uncertainty(state.image_id)
        if prediction is None or values is None:
            return
        measure = measure_named(state.measure)
        top = max(float(np.quantile(values, 0.995)), 1e-3)
        heatmap = self._put(
            "uncertainty",
            self._viewer.add_image(
                values,
                name=f"{measure.title} [{measure.unit}]",
                colormap="magma",
                contrast_limits=(0.0, top),
                opacity=0.55,
                interpolation2d="nearest",
            ),
        )
        heatmap.colorbar.visible = True
        outline = self._put(
            "prediction",
            self._viewer.add_labels(
                target_to_paint(prediction.classes),
                name=f"Prediction ({prediction.model_id})",
                colormap=paint_colours(state.schema),
                opacity=0.9,
            ),
        )
        outline.contour = 2
        outline.editable = False

    def _show_queue(self, state: SessionState) -> None:
        here = [q for q in state.queue if q.region.image_id == state.image_id]
        if state.image_id is None:
            return
        target = self._session.labels_so_far(state.image_id)
        layer = self._layers.get("labels")
        if layer is None or layer not in self._viewer.layers:
            layer = self._put(
                "labels",
                self._viewer.add_labels(
                    target_to_paint(target),
                    name="Labels so far",
                    colormap=paint_colours(state.schema),
                    opacity=0.35,
                ),
            )
            layer.editable = False
        else:
            layer.data = target_to_paint(target)
        self._show_boxes(here, state.region_id)

    def _show_boxes(self, here: list[QueuedRegion], in_hand: str | None) -> None:
        self._drop("regions")
        boxes = [q for q in here if q.kind != "whole"]
        if not boxes:
            return
        corners = [
            np.array([[q.region.y, q.region.x], [q.region.bottom, q.region.right]]) - 0.5
            for q in boxes
        ]
        layer = self._put(
            "regions",
            self._viewer.add_shapes(
                corners,
                shape_type="rectangle",
                name="Regions",
                edge_color=[_STATE_COLOURS[q.state] for q in boxes],
                edge_width=[5 if q.id == in_hand else 2.5 for q in boxes],
                face_color="transparent",
            ),
        )
        layer.editable = False

    def _take_region(self, state: SessionState) -> None:
        queued = state.region
        if queued is None or queued.region.image_id != state.image_id:
            self._painter.put_down()
            return
        self._painter.take(queued, state.schema, paint_colours(state.schema))
        self.frame_region(state)

    def _put(self, role: str, layer: Any) -> Any:
        """Keep a new layer under its role, in place of the one before, as visible as it was."""
        before = self._layers.get(role)
        if before is not None and before in self._viewer.layers:
            layer.visible = before.visible
            self._viewer.layers.remove(before)
        layer.metadata[ROLE_KEY] = role
        self._layers[role] = layer
        paint = self._painter.layer
        if paint is not None and paint in self._viewer.layers:
            self._viewer.layers.move(self._viewer.layers.index(paint), len(self._viewer.layers))
            self._viewer.layers.selection.active = paint
        return layer

    def _drop(self, role: str) -> None:
        layer = self._layers.pop(role, None)
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)


def _prediction_key(state: SessionState | None) -> object:
    if state is None or state.model is None:
        return None
    return (state.model.id, state.measure, state.image_id in state.predicted)
