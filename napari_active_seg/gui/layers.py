"""Keeps napari's layers in step with the session; layers of the person's own stay untouched.

Layers are made once and then given new data: napari collects garbage at each removal, which
is slow in a process that has loaded torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import colormaps
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.colormaps import Colormap, DirectLabelColormap
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind, simplified_outlines
from napari_active_seg.errors import ImageError
from napari_active_seg.gui.painting import RegionPainter
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import LabelSchema, RegionState, target_to_paint
from napari_active_seg.session import Session, SessionState, ViewState, coarse_step
from napari_active_seg.uncertainty import Prediction, measure_named

__all__ = ["ROLE_KEY", "LayerBinder", "heat_colours", "paint_colours"]

#: Layers of ours carry their role in their metadata under this key.
ROLE_KEY = "napari_active_seg"
#: The schema whose colours a layer has.
_SCHEMA_KEY = "napari_active_seg_schema"
#: From the bottom to the top.
_ORDER = ("slide", "image", "labels", "uncertainty", "prediction", "regions", "paint")
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


def heat_colours() -> Colormap:
    """Return magma that is clear where nothing is uncertain, so that the tissue stays seen."""
    steps = np.linspace(0, 1, 64)
    colours = colormaps["magma"](0.25 + 0.75 * steps)
    colours[:, 3] = np.clip(1.6 * steps, 0, 1) ** 1.2
    return Colormap(colours, name="uncertainty", display_name="uncertainty")


class LayerBinder:
    """Adds, refreshes and removes the session's layers."""

    def __init__(self, viewer: ViewerModel, session: Session, painter: RegionPainter) -> None:
        self._viewer = viewer
        self._session = session
        self._painter = painter
        self._layers: dict[str, Any] = {}
        self._put_away: dict[str, bool] = {}  # roles hidden by us, and whether they were visible

    def render(self, state: SessionState, old: SessionState | None, view: ViewState) -> None:
        """Apply the difference between two states."""
        new_image = old is None or old.image_id != state.image_id
        new_classes = old is None or old.schema != state.schema
        new_region = new_image or new_classes or old is None or old.region_id != state.region_id
        if new_image:
            self._painter.offer()
            self._show_image(state)
        if new_image or _prediction_key(old) != _prediction_key(state):
            self._show_prediction(state, view)
        if new_region or old is None or old.queue != state.queue:
            self._show_queue(state, redraw=new_image)
        if new_region:
            self._take_region(state)

    def clear(self) -> None:
        """Remove every layer of ours."""
        for layer in self._layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()

    def frame_region(self, state: SessionState) -> None:
        """Fit the region in hand to the canvas with some of its surroundings, or the image."""
        layer = self._painter.layer if state.region is not None else self._picture()
        if layer is not None and layer in self._viewer.layers:
            margin = 0.3 if state.region is not None else 0.05
            self._viewer.reset_view(layers=[layer], margin=margin)

    def _picture(self) -> Any:
        """Return the layer of the image on show, plain or slide."""
        return self._layers.get("slide" if "image" in self._put_away else "image")

    def toggle(self, role: str) -> None:
        """Show or hide one of our layers."""
        layer = self._layers.get(role)
        if layer is not None and role not in self._put_away:
            layer.visible = not layer.visible

    # --- what is shown -----------------------------------------------------------------------

    def _show_image(self, state: SessionState) -> None:
        if state.image_id is None:
            return
        try:
            levels = self._session.image_levels(state.image_id)
        except ImageError:
            for role in ("slide", "image", "labels"):  # of the image before
                self._hide(role)
            raise
        if len(levels) > 1:
            self._hide("image")
            layer = self._given(
                "slide",
                lambda: self._viewer.add_image(levels, rgb=True, multiscale=True),
                levels,
            )
        else:
            self._hide("slide")
            pixels = np.asarray(levels[0])
            layer = self._given("image", lambda: self._viewer.add_image(pixels, rgb=True), pixels)
        layer.name = state.image_id

    def _show_prediction(self, state: SessionState, view: ViewState) -> None:
        prediction = None
        if view.shows_prediction and state.image_id is not None:
            prediction = self._session.prediction(state.image_id)
        if prediction is None:
            self._hide("uncertainty")
            self._hide("prediction")
            return
        self._show_heat(state, prediction)
        self._show_outline(state, prediction)

    def _show_heat(self, state: SessionState, prediction: Prediction) -> None:
        measure = measure_named(state.measure)
        values = measure.compute(prediction.moments)
        layer = self._given(
            "uncertainty",
            lambda: self._viewer.add_image(
                values, colormap=heat_colours(), opacity=0.75, interpolation2d="nearest"
            ),
            values,
        )
        calibrated = ", calibrated" if state.calibrated else ""
        layer.name = f"{measure.title} [{measure.unit}]{calibrated}"
        layer.contrast_limits = (0.0, max(float(np.quantile(values, 0.995)), 1e-3))
        layer.colorbar.visible = True

    def _show_outline(self, state: SessionState, prediction: Prediction) -> None:
        paint = target_to_paint(prediction.classes)
        if len(state.schema) == 2:  # one outline says it all
            paint[paint == 1] = 0
        layer = self._given(
            "prediction", lambda: self._labels_layer(paint, state.schema, opacity=0.9), paint
        )
        layer.name = f"Prediction ({prediction.model_id.partition('@')[0]})"
        self._colour(layer, state.schema)
        layer.contour = 2

    def _show_queue(self, state: SessionState, *, redraw: bool) -> None:
        if state.image_id is None:
            return
        step = coarse_step(self._session.project.images.ref(state.image_id).shape)
        paint = target_to_paint(self._session.labels.so_far(state.image_id, step=step))
        layer = self._layers.get("labels")
        if redraw or layer is None or not np.array_equal(layer.data, paint):
            layer = self._given(
                "labels", lambda: self._labels_layer(paint, state.schema, opacity=0.35), paint
            )
            layer.name = "Labels so far"
            layer.scale, layer.translate = (step, step), ((step - 1) / 2, (step - 1) / 2)
        self._colour(layer, state.schema)
        here = [q for q in state.queue if q.region.image_id == state.image_id]
        self._show_boxes([q for q in here if q.kind is not RegionKind.WHOLE], state.region_id)

    @staticmethod
    def _colour(layer: Any, schema: LabelSchema) -> None:
        """Give a layer the classes' colours, if it does not have them: napari draws it anew."""
        if layer.metadata.get(_SCHEMA_KEY) != schema:
            layer.colormap = paint_colours(schema)
            layer.metadata[_SCHEMA_KEY] = schema

    def _show_boxes(self, boxes: list[QueuedRegion], in_hand: str | None) -> None:
        layer = self._layers.get("regions")
        if layer is None or layer not in self._viewer.layers:
            layer = self._keep("regions", self._viewer.add_shapes(ndim=2, name="Regions"))
        layer.editable = True
        layer.selected_data = set(range(layer.nshapes))
        layer.remove_selected()
        for add, frame, shaped in (
            (layer.add_rectangles, _frame, [q for q in boxes if q.shape is None]),
            (layer.add_polygons, _outline, [q for q in boxes if q.shape is not None]),
        ):
            if shaped:
                width = [3.0 if q.id == in_hand else 2.0 for q in shaped]
                add(
                    [frame(q, w) for q, w in zip(shaped, width, strict=True)],
                    edge_width=width,
                    edge_color=[_STATE_COLOURS[q.state] for q in shaped],
                    face_color="transparent",
                )
        layer.selected_data = set()
        layer.editable = False

    def _take_region(self, state: SessionState) -> None:
        queued = state.region
        if queued is None or queued.region.image_id != state.image_id:
            self._painter.put_down()
        else:
            self._painter.take(queued, state.schema, paint_colours(state.schema))
            self._keep("paint", self._painter.layer)
        self.frame_region(state)

    # --- layers ------------------------------------------------------------------------------

    def _labels_layer(
        self, paint: NDArray[np.uint8], schema: LabelSchema, *, opacity: float
    ) -> Layer:
        layer = self._viewer.add_labels(paint, colormap=paint_colours(schema), opacity=opacity)
        layer.editable = False
        layer.metadata[_SCHEMA_KEY] = schema
        return layer

    def _given(self, role: str, make: Callable[[], Layer], data: Any) -> Any:
        """Return the layer of ``role`` with new ``data``, made if it is not there."""
        layer = self._layers.get(role)
        if layer is None or layer not in self._viewer.layers:
            return self._keep(role, make())
        layer.data = data
        if role in self._put_away:
            layer.visible = self._put_away.pop(role)
        return layer

    def _keep(self, role: str, layer: Any) -> Any:
        """Remember a new layer under its role, and bring ours into their order."""
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
        paint = self._painter.layer
        if paint is not None and paint in layers:
            layers.selection.active = paint
        return layer

    def _hide(self, role: str) -> None:
        layer = self._layers.get(role)
        if layer is not None and role not in self._put_away:
            self._put_away[role] = layer.visible
            layer.visible = False


def _frame(queued: QueuedRegion, width: float) -> NDArray[np.float64]:
    """Return the corners of a frame that lies just outside the region's pixels."""
    region, out = queued.region, width / 2 + 0.5
    return np.array(
        [[region.y - out, region.x - out], [region.bottom - 1 + out, region.right - 1 + out]]
    )


def _outline(queued: QueuedRegion, _width: float) -> NDArray[np.float64]:
    """Return the corners (y, x) of the longest outline of what may be painted of a region."""
    region = queued.region
    rings = simplified_outlines(queued.place.mask, 0.7)
    ring = max(rings, key=len) if rings else np.array([[0, 0], [0, 1], [1, 1]], float)
    return ring + np.array([region.y, region.x], float)


def _prediction_key(state: SessionState | None) -> object:
    if state is None or state.model is None:
        return None
    seen = state.image_id in state.predicted
    return (state.model.id, state.measure, seen, state.schema, state.calibrated)
