"""Keeps napari's layers in step with the session; layers of the person's own stay untouched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgba
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.colormaps import Colormap, DirectLabelColormap
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind, simplified_outlines
from napari_active_seg.errors import ImageError
from napari_active_seg.gui.frames import colours_by_value, joined, outline_mesh, veil_mesh
from napari_active_seg.gui.layer_stock import ROLE_KEY, LayerStock
from napari_active_seg.gui.painting import RegionPainter
from napari_active_seg.gui.preferences import Preferences
from napari_active_seg.gui.state_colours import STATE_COLOURS
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import LabelSchema, target_to_paint
from napari_active_seg.session import Session, SessionState
from napari_active_seg.session.requests import coarse_step
from napari_active_seg.uncertainty import Prediction, measure_named

__all__ = ["ROLE_KEY", "LayerBinder", "See", "heat_colours", "paint_colours"]

#: The schema whose colours a layer has.
_SCHEMA_KEY = "napari_active_seg_schema"
_STATES = tuple(STATE_COLOURS)
_TISSUE_COLOUR = "#009e73"
_VEIL = (0.0, 0.0, 0.0, 0.42)


@dataclass(frozen=True, slots=True)
class See:
    """What else is to be seen of an image: asked for, since it costs time."""

    disagreement: bool = False
    tissue: bool = False


def paint_colours(schema: LabelSchema) -> DirectLabelColormap:
    """Return a colormap in which paint k + 1 has the colour of class k and 0 is clear."""
    colours: dict[int | None, str] = {0: "transparent", None: "transparent"}
    colours.update({k + 1: colour for k, colour in enumerate(schema.colours)})
    return DirectLabelColormap(color_dict=colours)


def heat_colours(name: str = "magma", title: str = "uncertainty") -> Colormap:
    """Return a scale that is clear where nothing is uncertain, so that the tissue stays seen."""
    steps = np.linspace(0, 1, 64)
    colours = colormaps[name](0.25 + 0.75 * steps)
    colours[:, 3] = np.clip(1.6 * steps, 0, 1) ** 1.2
    return Colormap(colours, name=title, display_name=title)


class LayerBinder:
    """Adds, refreshes and removes the session's layers."""

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        painter: RegionPainter,
        prefers: Preferences | None = None,
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._painter = painter
        self._prefers = prefers or Preferences()
        self._stock = LayerStock(viewer)
        self._see = See()
        self._framed: object = None
        self._line = 0.0
        viewer.scene.camera.events.zoom.connect(self._on_zoom)

    @property
    def see(self) -> See:
        """What else is shown."""
        return self._see

    def render(self, state: SessionState, old: SessionState | None) -> None:
        """Apply the difference between two states."""
        new_image = old is None or old.image_id != state.image_id
        new_classes = old is None or old.schema != state.schema
        new_region = new_image or new_classes or old is None or old.region_id != state.region_id
        if new_image:
            self._painter.offer()
            self._show_image(state)
            self._show_tissue(state)
        if new_image or self._prediction_key(old) != self._prediction_key(state):
            self._show_prediction(state)
        compared = None if old is None else (self._prediction_key(old), old.compared)
        if new_image or compared != (self._prediction_key(state), state.compared):
            self._show_disagreement(state)
        if new_region or old is None or old.queue != state.queue:
            self._show_queue(state, redraw=new_image)
        if new_region:
            self._take_region(state)

    def prefer(self, prefers: Preferences) -> None:
        """Show all as a person prefers it from now on."""
        self._prefers = prefers
        state = self._session.state
        if self._stock.get("regions") is not None:
            self._show_frames(state)
        outline = self._stock.get("prediction")
        if outline is not None:
            outline.contour = 0 if prefers.fills_prediction else 2
            outline.opacity = 0.5 if prefers.fills_prediction else 0.9
        for role in ("uncertainty", "disagreement"):
            layer = self._stock.get(role)
            if layer is not None:
                layer.contrast_limits = self._limits(np.asarray(layer.data))

    def look(self, see: See) -> None:
        """Show or hide what costs time to see."""
        self._see = see
        self._show_tissue(self._session.state)
        self._show_disagreement(self._session.state)

    def clear(self) -> None:
        """Remove every layer of ours."""
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        self._stock.clear()

    def frame_region(self, state: SessionState) -> None:
        """Fit the region in hand to the canvas with some of its surroundings, or the image."""
        layer = self._painter.layer if state.region is not None else self._picture()
        if layer is not None and layer in self._viewer.layers:
            margin = 0.3 if state.region is not None else 0.05
            self._viewer.reset_view(layers=[layer], margin=margin)

    def centre_on(self, y: int, x: int) -> None:
        """Bring a pixel to the middle of the canvas, close enough to see what is there."""
        camera = self._viewer.scene.camera
        camera.center = (y, x)
        camera.zoom = max(camera.zoom, 3.0)

    def toggle(self, role: str) -> None:
        """Show or hide one of our layers."""
        if role == "image" and self._stock.is_away("image"):
            role = "slide"
        self._stock.toggle(role)

    def _prediction_key(self, state: SessionState | None) -> object:
        """Return all that decides which prediction is shown, and how."""
        if state is None or state.model is None:
            return None
        seen = state.image_id in state.predicted
        shown = (state.model.id, state.measure, seen, state.schema, state.calibrated, state.blind)
        if state.image_id is None or self._session.predictions.in_one_piece(state.image_id):
            return shown
        return (*shown, state.region_id, state.near)

    def _picture(self) -> Any:
        """Return the layer of the image on show, plain or slide."""
        return self._stock.get("slide" if self._stock.is_away("image") else "image")

    # --- what is shown -----------------------------------------------------------------------

    def _given(self, role: str, make: Any, data: Any) -> Any:
        return self._stock.given(role, make, data, top=self._painter.layer)

    def _show_image(self, state: SessionState) -> None:
        if state.image_id is None:
            return
        try:
            levels = self._session.image_levels(state.image_id)
        except ImageError:
            for role in ("slide", "image", "labels"):  # of the image before
                self._stock.hide(role)
            raise
        if len(levels) > 1:
            self._stock.hide("image")
            layer = self._given(
                "slide",
                lambda: self._viewer.add_image(levels, rgb=True, multiscale=True),
                levels,
            )
        else:
            self._stock.hide("slide")
            pixels = np.asarray(levels[0])
            layer = self._given("image", lambda: self._viewer.add_image(pixels, rgb=True), pixels)
        layer.name = state.image_id

    def _show_tissue(self, state: SessionState) -> None:
        if not self._see.tissue or state.image_id is None:
            self._stock.hide("tissue")
            return
        mask = self._session.upkeep.tissue(state.image_id).astype(np.uint8)
        shape = self._session.project.images.ref(state.image_id).shape
        colours = DirectLabelColormap(
            color_dict={0: "transparent", 1: _TISSUE_COLOUR, None: "transparent"}
        )
        layer = self._given(
            "tissue",
            lambda: self._viewer.add_labels(mask, colormap=colours, opacity=0.3),
            mask,
        )
        layer.name, layer.editable = "Tissue (where regions are proposed)", False
        layer.scale = tuple(full / coarse for full, coarse in zip(shape, mask.shape, strict=True))
        layer.translate = tuple((step - 1) / 2 for step in layer.scale)

    def _show_prediction(self, state: SessionState) -> None:
        known = () if state.blind else self._session.predictions.on_screen()
        if not known:
            self._stock.hide("uncertainty")
            self._stock.hide("prediction")
            return
        self._show_heat(state, known[-1])
        self._show_outline(state, known[0])

    def _show_heat(self, state: SessionState, prediction: Prediction) -> None:
        measure = measure_named(state.measure)
        values = measure.compute(prediction.moments)
        calibrated = ", calibrated" if state.calibrated else ""
        title = f"{measure.title} [{measure.unit}]{calibrated}"
        layer = self._show_map("uncertainty", values, title, heat_colours())
        _place(layer, prediction)

    def _show_disagreement(self, state: SessionState) -> None:
        values = None
        if self._see.disagreement and state.image_id is not None and not state.blind:
            values = self._session.predictions.disagreement(state.image_id)
        earlier = self._session.predictions.earlier_model()
        if values is None or earlier is None or state.model is None:
            self._stock.hide("disagreement")
            return
        title = f"{state.model.id} against {earlier.id} [share of probability]"
        layer = self._show_map(
            "disagreement", values, title, heat_colours("viridis", "disagreement")
        )
        known = self._session.prediction(state.image_id or "")
        if known is not None:
            _place(layer, known)

    def _show_map(
        self, role: str, values: NDArray[np.float32], title: str, colours: Colormap
    ) -> Any:
        layer = self._given(
            role,
            lambda: self._viewer.add_image(
                values, colormap=colours, opacity=0.75, interpolation2d="nearest"
            ),
            values,
        )
        layer.name = title
        layer.contrast_limits = self._limits(values)
        layer.colorbar.visible = True
        return layer

    def _limits(self, values: NDArray[np.float32]) -> tuple[float, float]:
        """Return the range of a map's colours: from 0 to the percentile that is preferred."""
        return 0.0, max(float(np.quantile(values, self._prefers.clip / 100)), 1e-3)

    def _show_outline(self, state: SessionState, prediction: Prediction) -> None:
        paint = target_to_paint(prediction.classes)
        if len(state.schema) == 2:  # one outline says it all
            paint[paint == 1] = 0
        fills = self._prefers.fills_prediction
        layer = self._given(
            "prediction",
            lambda: self._labels_layer(paint, state.schema, opacity=0.5 if fills else 0.9),
            paint,
        )
        layer.name = f"Prediction ({prediction.model_id.partition('@')[0]})"
        _place(layer, prediction)
        self._colour(layer, state.schema)
        contour = 0 if fills else 2
        if layer.contour != contour:
            layer.contour = contour

    def _show_queue(self, state: SessionState, *, redraw: bool) -> None:
        if state.image_id is None:
            return
        step = coarse_step(self._session.project.images.ref(state.image_id).shape)
        paint = target_to_paint(self._session.labels.so_far(state.image_id, step=step))
        layer = self._stock.get("labels")
        if redraw or layer is None or not np.array_equal(layer.data, paint):
            layer = self._given(
                "labels", lambda: self._labels_layer(paint, state.schema, opacity=0.35), paint
            )
            layer.name = "Labels so far"
            layer.scale, layer.translate = (step, step), ((step - 1) / 2, (step - 1) / 2)
        self._colour(layer, state.schema)
        self._show_frames(state)

    @staticmethod
    def _colour(layer: Any, schema: LabelSchema) -> None:
        """Give a layer the classes' colours, if it does not have them: napari draws it anew."""
        if layer.metadata.get(_SCHEMA_KEY) != schema:
            layer.colormap = paint_colours(schema)
            layer.metadata[_SCHEMA_KEY] = schema

    def _labels_layer(
        self, paint: NDArray[np.uint8], schema: LabelSchema, *, opacity: float
    ) -> Layer:
        layer = self._viewer.add_labels(paint, colormap=paint_colours(schema), opacity=opacity)
        layer.editable = False
        layer.metadata[_SCHEMA_KEY] = schema
        return layer

    # --- regions -----------------------------------------------------------------------------

    def _show_frames(self, state: SessionState) -> None:
        """Frame the regions of the image in the colours of their states; dim all but the one."""
        here = [
            q
            for q in state.queue
            if q.region.image_id == state.image_id and q.kind is not RegionKind.WHOLE
        ]
        line, dims = self._line_width(), self._prefers.dims
        framed = ([(q.id, q.state) for q in here], state.region_id, line, state.image_id, dims)
        if framed == self._framed and self._stock.get("regions") is not None:
            return
        self._framed, self._line = framed, line
        widths = [1.6 * line if q.id == state.region_id else line for q in here]
        mesh = outline_mesh(
            [_ring(q, width) for q, width in zip(here, widths, strict=True)],
            [float(_STATES.index(q.state)) for q in here],
            widths,
        )
        in_hand = next((q.region for q in here if q.id == state.region_id), None)
        if dims and in_hand is not None:
            shape = self._session.project.images.ref(in_hand.image_id).shape
            hole = (in_hand.y - 0.5, in_hand.x - 0.5, in_hand.bottom - 0.5, in_hand.right - 0.5)
            mesh = joined(veil_mesh(shape, hole, float(len(_STATES))), mesh)
        colours = [*(to_rgba(STATE_COLOURS[state]) for state in _STATES), _VEIL]
        layer = self._given(
            "regions",
            lambda: self._viewer.add_surface(
                mesh, name="Regions", colormap=colours_by_value(colours), shading="none"
            ),
            mesh,
        )
        layer.contrast_limits = (0.0, float(len(_STATES)))

    def _line_width(self) -> float:
        """Return how wide frames are in pixels of the image, so that they are 2 on the screen."""
        zoom = float(self._viewer.scene.camera.zoom)
        return float(2.0 ** np.ceil(np.log2(max(2.0 / max(zoom, 1e-6), 0.5))))

    def _on_zoom(self, _event: Any = None) -> None:
        """Draw frames as wide as they are to be seen from here."""
        if self._stock.get("regions") is not None and self._line_width() != self._line:
            self._show_frames(self._session.state)

    def _take_region(self, state: SessionState) -> None:
        queued = state.region
        if queued is None or queued.region.image_id != state.image_id:
            self._painter.put_down()
        else:
            self._painter.take(queued, state.schema, paint_colours(state.schema))
            self._stock.keep("paint", self._painter.layer, top=self._painter.layer)
        self.frame_region(state)


def _ring(queued: QueuedRegion, width: float) -> NDArray[np.float64]:
    """Return the corners (y, x) of what may be painted of a region, its line just outside."""
    region, out = queued.region, width / 2 + 0.5
    if queued.shape is None:
        top, left = region.y - out, region.x - out
        bottom, right = region.bottom - 1 + out, region.right - 1 + out
        return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    rings = simplified_outlines(queued.place.mask, 0.7)
    ring = max(rings, key=len) if rings else np.array([[0, 0], [0, 1], [1, 1]], float)
    return ring + np.array([region.y, region.x], float)


def _place(layer: Any, prediction: Prediction) -> None:
    """Lay a map over the pixels of the image that it stands for."""
    step, region = prediction.step, prediction.region
    scale = (float(step), float(step))
    translate = tuple(start + (step - 1) / 2 for start in (region.y, region.x))
    if tuple(layer.scale) != scale:
        layer.scale = scale
    if tuple(layer.translate) != translate:
        layer.translate = translate
