"""The layers that show what a model says: uncertainty, prediction, and where two models differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray

from napari_active_seg.gui.annotate.region_painter import RegionPainter
from napari_active_seg.gui.layers.registry import LayerRegistry
from napari_active_seg.gui.layers.style import class_layer, colour_layer, heat_colours, lay_over
from napari_active_seg.gui.shell.preferences import Preferences
from napari_active_seg.regions import Region, target_to_paint
from napari_active_seg.session import Session, SessionState
from napari_active_seg.session.state import OPEN_STATES
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["MapLayers"]

#: A filled prediction is this much fainter than one that is outlined.
_FILLED = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class _Uncertainty:
    """A map of uncertainty and the pixels of the image that it covers."""

    values: NDArray[np.float32]
    prediction: Prediction

    def without(self, hole: Region | None) -> NDArray[np.float32]:
        """Return the map with nothing uncertain, which is clear, inside ``hole``."""
        if hole is None:
            return self.values
        step, place = self.prediction.step, self.prediction.region
        top, left = (hole.y - place.y) // step, (hole.x - place.x) // step
        bottom, right = -((place.y - hole.bottom) // step), -((place.x - hole.right) // step)
        shown = self.values.copy()
        shown[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 0
        return shown


class MapLayers:
    """Draws the maps of the image on screen; ``on_map`` hears of each that has a scale of colours.

    ``on_preferred`` is given what the person has changed by napari's own means, as preferences.
    """

    def __init__(self, session: Session, registry: LayerRegistry, painter: RegionPainter) -> None:
        self._session, self._registry, self._painter = session, registry, painter
        self.on_map: Callable[[Any], object] = lambda _layer: None
        self.on_preferred: Callable[..., object] = lambda **_changes: None
        self._uncertainty: _Uncertainty | None = None
        self._hole: Region | None = None
        self._prefers: Preferences | None = None

    # --- what they depend on -----------------------------------------------------------------

    def heat_key(self, state: SessionState) -> object:
        """Return what decides how the map of uncertainty looks."""
        seen = state.image_id in state.predicted
        return (_shown_key(state), None if seen else state.region_id)

    def hole_key(self, state: SessionState) -> Region | None:
        """Return the region that is being painted, whose tissue no map covers; None without one."""
        queued = state.region
        if queued is None or state.read_only or queued.state not in OPEN_STATES:
            return None
        return queued.region if queued.region.image_id == state.image_id else None

    def outline_key(self, state: SessionState) -> object:
        """Return what decides how the prediction looks; of a slide, what is near the region."""
        image_id = state.image_id
        if image_id is None or self._session.predictions.in_one_piece(image_id):
            return _shown_key(state)
        return (_shown_key(state), state.region_id)

    def disagreement_key(self, state: SessionState) -> object:
        """Return what decides how the map of two models looks."""
        return _shown_key(state)

    # --- drawing -----------------------------------------------------------------------------

    def prefer(self, prefers: Preferences) -> None:
        """Show what is there as a person prefers it from now on."""
        before, self._prefers = self._prefers, prefers
        outline, uncertainty = self._registry.get("prediction"), self._registry.get("uncertainty")
        self._registry.show("prediction", prefers.shows_prediction)
        self._registry.show("uncertainty", prefers.shows_uncertainty)
        with self._registry.changing():
            if outline is not None:
                outline.contour = 0 if prefers.fills_prediction else 2
                outline.opacity = _outline_opacity(prefers)
            if uncertainty is not None:
                uncertainty.opacity = prefers.uncertainty_opacity
        if before is not None and before.clip == prefers.clip:
            return
        if uncertainty is not None and self._uncertainty is not None:
            uncertainty.contrast_limits = _limits(self._uncertainty.values, prefers)
        disagreement = self._registry.get("disagreement")
        if disagreement is not None:
            disagreement.contrast_limits = _limits(np.asarray(disagreement.data), prefers)

    def show_heat(self, state: SessionState, prefers: Preferences) -> None:
        """Show how uncertain the model is, with the unit of the measure."""
        known = self._known(state)
        if not known:
            self._uncertainty = None
            self._registry.hide("uncertainty")
            return
        prediction = known[-1]
        measure = get_measure(state.measure)
        values = measure.compute(prediction.moments)
        calibrated = ", calibrated" if state.calibrated else ""
        title = f"{measure.title} [{measure.unit}]{calibrated}"
        self._uncertainty, self._hole = _Uncertainty(values, prediction), self.hole_key(state)
        limits = _limits(values, prefers)
        shown = self._uncertainty.without(self._hole)
        layer = self._show_map("uncertainty", shown, title, heat_colours(), prefers, limits)
        lay_over(layer, prediction.step, prediction.region.y, prediction.region.x)

    def show_hole(self, state: SessionState) -> None:
        """Leave the region that is painted out of the map of uncertainty, and no other."""
        layer, hole = self._registry.get("uncertainty"), self.hole_key(state)
        if layer is not None and self._uncertainty is not None and hole != self._hole:
            self._hole = hole
            layer.data = self._uncertainty.without(hole)

    def show_outline(self, state: SessionState, prefers: Preferences) -> None:
        """Outline what is predicted; of a slide near the current region, where there is one."""
        known = self._known(state)
        prediction = known[0] if known else None
        if prediction is None or (prediction.step > 1 and state.region is not None):
            self._registry.hide("prediction")
            return
        paint = target_to_paint(prediction.classes)
        if len(state.schema) == 2:  # one outline says it all
            paint[paint == 1] = 0
        fills = prefers.fills_prediction
        layer = self._given(
            "prediction",
            lambda: class_layer(paint, state.schema, opacity=_outline_opacity(prefers)),
            paint,
            prefers,
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
            self._registry.hide("disagreement")
            return
        title = f"{state.model.id} against {earlier.id} [share of probability]"
        colours = heat_colours("viridis", "disagreement")
        limits = _limits(values, prefers)
        layer = self._show_map("disagreement", values, title, colours, prefers, limits)
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
        limits: tuple[float, float],
    ) -> Any:
        opacity = prefers.uncertainty_opacity if role == "uncertainty" else 0.75
        layer = self._given(
            role,
            lambda: Image(values, colormap=colours, opacity=opacity, interpolation2d="nearest"),
            values,
            prefers,
        )
        layer.name = title
        layer.contrast_limits = limits
        self.on_map(layer)
        return layer

    def _known(self, state: SessionState) -> tuple[Prediction, ...]:
        return () if state.blind else self._session.predictions.on_screen()

    def _given(self, role: str, make: Callable[[], Any], data: Any, prefers: Preferences) -> Any:
        is_new = self._registry.get(role) is None
        layer = self._registry.given(role, make, data, top=self._painter.layer)
        if is_new and role in ("prediction", "uncertainty"):
            shows = {
                "prediction": prefers.shows_prediction,
                "uncertainty": prefers.shows_uncertainty,
            }
            self._registry.show(role, shows[role])
            for event in (layer.events.visible, layer.events.opacity):
                event.connect(partial(self._on_look, role))
        return layer

    def _on_look(self, role: str, event: Any) -> None:
        """Take over as a preference how the person shows a map by a key or in napari's list."""
        if self._registry.is_changing or self._registry.is_away(role):
            return
        layer = event.source
        if event.type == "visible":
            self.on_preferred(**{f"shows_{role}": bool(layer.visible)})
            return
        is_filled = role == "prediction" and layer.contour == 0
        opacity = layer.opacity / _FILLED if is_filled else layer.opacity
        self.on_preferred(**{f"{role}_opacity": min(float(opacity), 1.0)})


def _outline_opacity(prefers: Preferences) -> float:
    return prefers.prediction_opacity * (_FILLED if prefers.fills_prediction else 1.0)


def _limits(values: NDArray[np.float32], prefers: Preferences) -> tuple[float, float]:
    """Return the range of a map's colours: from 0 to the percentile that is preferred."""
    return 0.0, max(float(np.quantile(values, prefers.clip / 100)), 1e-3)


def _shown_key(state: SessionState) -> object:
    """Return what decides whether and how anything of a model is shown."""
    model = None if state.model is None else state.model.id
    seen = state.image_id in state.predicted
    return (model, state.measure, seen, state.schema, state.calibrated, state.blind)
