"""The layers that show what a model says: uncertainty, prediction, and where two models differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray

from napari_active_seg.gui.layer_look import class_layer, colour_layer, heat_colours, lay_over
from napari_active_seg.gui.layer_stock import LayerStock
from napari_active_seg.gui.painting import RegionPainter
from napari_active_seg.gui.preferences import Preferences
from napari_active_seg.regions import target_to_paint
from napari_active_seg.session import Session, SessionState
from napari_active_seg.uncertainty import Prediction, measure_named

__all__ = ["MapLayers"]


class MapLayers:
    """Draws the maps of the image on show; ``on_map`` hears of each that has a scale of colours."""

    def __init__(self, session: Session, stock: LayerStock, painter: RegionPainter) -> None:
        self._session, self._stock, self._painter = session, stock, painter
        self.on_map: Callable[[Any], object] = lambda _layer: None

    # --- what they depend on -----------------------------------------------------------------

    def heat_key(self, state: SessionState) -> object:
        """Return what decides how the map of uncertainty looks."""
        seen = state.image_id in state.predicted
        return (_shown_key(state), None if seen else (state.near, state.region_id))

    def outline_key(self, state: SessionState) -> object:
        """Return what decides how the prediction looks; of a slide, what is near the region."""
        image_id = state.image_id
        if image_id is None or self._session.predictions.in_one_piece(image_id):
            return _shown_key(state)
        return (_shown_key(state), state.near, state.region_id)

    def disagreement_key(self, state: SessionState) -> object:
        """Return what decides how the map of two models looks."""
        return (_shown_key(state), state.compared)

    # --- drawing -----------------------------------------------------------------------------

    def prefer(self, prefers: Preferences) -> None:
        """Show what is there as a person prefers it from now on."""
        outline = self._stock.get("prediction")
        if outline is not None:
            outline.contour = 0 if prefers.fills_prediction else 2
            outline.opacity = 0.5 if prefers.fills_prediction else 0.9
        for role in ("uncertainty", "disagreement"):
            layer = self._stock.get(role)
            if layer is not None:
                layer.contrast_limits = _limits(np.asarray(layer.data), prefers)

    def show_heat(self, state: SessionState, prefers: Preferences) -> None:
        """Show how uncertain the model is, with the unit of the measure."""
        known = self._known(state)
        if not known:
            self._stock.hide("uncertainty")
            return
        prediction = known[-1]
        measure = measure_named(state.measure)
        values = measure.compute(prediction.moments)
        calibrated = ", calibrated" if state.calibrated else ""
        title = f"{measure.title} [{measure.unit}]{calibrated}"
        layer = self._show_map("uncertainty", values, title, heat_colours(), prefers)
        lay_over(layer, prediction.step, prediction.region.y, prediction.region.x)

    def show_outline(self, state: SessionState, prefers: Preferences) -> None:
        """Outline what is predicted; of a slide near the region in hand, where there is one."""
        known = self._known(state)
        prediction = known[0] if known else None
        if prediction is None or (prediction.step > 1 and state.region is not None):
            self._stock.hide("prediction")
            return
        paint = target_to_paint(prediction.classes)
        if len(state.schema) == 2:  # one outline says it all
            paint[paint == 1] = 0
        fills = prefers.fills_prediction
        layer = self._given(
            "prediction",
            lambda: class_layer(paint, state.schema, opacity=0.5 if fills else 0.9),
            paint,
        )
        layer.name = f"Prediction ({prediction.model_id.partition('@')[0]})"
        lay_over(layer, prediction.step, prediction.region.y, prediction.region.x)
        colour_layer(layer, state.schema)
        contour = 0 if fills else 2
        if layer.contour != contour:
            layer.contour = contour

    def show_disagreement(self, state: SessionState, prefers: Preferences, *, wanted: bool) -> None:
        """Show where the last two models differ, where that is wanted and known."""
        values = None
        if wanted and state.image_id is not None and not state.blind:
            values = self._session.predictions.disagreement(state.image_id)
        earlier = self._session.predictions.earlier_model()
        if values is None or earlier is None or state.model is None:
            self._stock.hide("disagreement")
            return
        title = f"{state.model.id} against {earlier.id} [share of probability]"
        layer = self._show_map(
            "disagreement", values, title, heat_colours("viridis", "disagreement"), prefers
        )
        known = self._session.prediction(state.image_id or "")
        if known is not None:
            lay_over(layer, known.step)

    def _show_map(
        self,
        role: str,
        values: NDArray[np.float32],
        title: str,
        colours: Colormap,
        prefers: Preferences,
    ) -> Any:
        layer = self._given(
            role,
            lambda: Image(values, colormap=colours, opacity=0.75, interpolation2d="nearest"),
            values,
        )
        layer.name = title
        layer.contrast_limits = _limits(values, prefers)
        self.on_map(layer)
        return layer

    def _known(self, state: SessionState) -> tuple[Prediction, ...]:
        return () if state.blind else self._session.predictions.on_screen()

    def _given(self, role: str, make: Callable[[], Any], data: Any) -> Any:
        return self._stock.given(role, make, data, top=self._painter.layer)


def _limits(values: NDArray[np.float32], prefers: Preferences) -> tuple[float, float]:
    """Return the range of a map's colours: from 0 to the percentile that is preferred."""
    return 0.0, max(float(np.quantile(values, prefers.clip / 100)), 1e-3)


def _shown_key(state: SessionState) -> object:
    """Return what decides whether and how anything of a model is shown."""
    model = None if state.model is None else state.model.id
    seen = state.image_id in state.predicted
    return (model, state.measure, seen, state.schema, state.calibrated, state.blind)
