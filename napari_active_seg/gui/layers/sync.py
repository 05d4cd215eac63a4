"""Keeps napari's layers in step with the session; layers of the person's own stay untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtGui import QColor

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import ImageError
from napari_active_seg.gui.annotate.region_painter import RegionPainter
from napari_active_seg.gui.canvas.region_mesh import (
    colours_by_value,
    joined,
    outline_mesh,
    veil_mesh,
)
from napari_active_seg.gui.canvas.state_colours import STATE_COLOURS
from napari_active_seg.gui.layers.maps import MapLayers
from napari_active_seg.gui.layers.prefetch import ReadAhead
from napari_active_seg.gui.layers.registry import ROLE_KEY, LayerRegistry
from napari_active_seg.gui.layers.style import (
    class_layer,
    colour_layer,
    lay_over,
    paint_colours,
    rectangle_ring,
    ring_of,
)
from napari_active_seg.gui.shell.deferred_redraw import DeferredRedraw
from napari_active_seg.gui.shell.preferences import Preferences
from napari_active_seg.regions import Region, target_to_paint
from napari_active_seg.session import Session, SessionState
from napari_active_seg.session.labels.whole_images import coarse_step
from napari_active_seg.session.state import Content

__all__ = ["ROLE_KEY", "LayerBinder", "OverlayOptions"]

_STATES = tuple(STATE_COLOURS)
_TISSUE_COLOUR = "#009e73"
_VEIL = (0.0, 0.0, 0.0, 0.42)
_GHOST = (1.0, 1.0, 1.0, 1.0)
#: What belongs to one image and is drawn after it.
_OVER_IMAGE = ("tissue", "uncertainty", "disagreement", "prediction", "labels")
#: What draws the layer of a role again after somebody has removed it.
_PIECES = {
    "tissue": "tissue",
    "uncertainty": "heat",
    "disagreement": "disagreement",
    "prediction": "outline",
    "labels": "labels",
}


@dataclass(frozen=True, slots=True)
class OverlayOptions:
    """What else is to be seen of an image: asked for, since it costs time."""

    disagreement: bool = False
    tissue: bool = False


class LayerBinder:
    """Adds, refreshes and removes the session's layers."""

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        painter: RegionPainter,
        prefers: Preferences | None = None,
        *,
        run: Callable[[Callable[[], object]], object] = lambda verb: verb(),
        registry: LayerRegistry | None = None,
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._painter = painter
        self._prefers = prefers or Preferences()
        self._registry = registry or LayerRegistry(viewer)
        self.on_taken: Callable[[], None] = lambda: None  # the first region can be painted now
        self._see = OverlayOptions()
        self._framed: object = None
        self._line, self._taking = 0.0, False
        self._removed: set[str] = set()
        self.on_removed: Callable[[Any], None] = lambda _layer: None
        self._ghost: Region | None = None
        self._has_ghost = False
        self.maps = MapLayers(session, self._registry, painter)
        self._ahead = ReadAhead(session.project.images.source)
        self._later = DeferredRedraw(
            {
                "region": self._show_first_region,
                "frames": self._show_frames,
                "tissue": self._show_tissue,
                "heat": lambda state: self.maps.show_heat(state, self._prefers),
                "hole": self.maps.show_hole,
                "outline": lambda state: self.maps.show_outline(state, self._prefers),
                "disagreement": self._show_disagreement,
                "labels": self._show_labels,
                "next": self._read_ahead,
                "tidy": self._drop_inherited,
            },
            lambda draw: run(lambda: draw(session.state)),
        )
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        viewer.layers.events.removed.connect(self._on_removed)
        session.maintenance.images_replaced.connect(self._on_replaced)

    @property
    def see(self) -> OverlayOptions:
        """What else is shown."""
        return self._see

    def render(self, state: SessionState, old: SessionState | None) -> None:
        """Apply the difference between two states.

        A new image and its region come first; what lies over them follows piece by piece, so that
        the way to the next region is short. Of a project that is just opened the region and its
        frames are pieces too: napari takes a while to make each layer.
        """
        new_image = _shows_new_image(state, old)
        new_region = new_image or old is None or _shows_new_region(state, old)
        if new_region:
            self._later.add("next")
        if new_image:
            self._begin_image(state, is_first=old is None)
            self._removed.clear()
        elif new_region and self._removed:
            self._restore_removed(state)
        for piece, key in (
            ("heat", self.maps.heat_key),
            ("hole", self.maps.hole_key),
            ("outline", self.maps.outline_key),
            ("disagreement", self.maps.disagreement_key),
        ):
            if new_image or old is None or key(old) != key(state):
                self._draw(piece, soon=new_region)
        if old is None:
            self._draw("labels", soon=True)
            self._later.add("tidy")
            return
        if new_region:
            self._take_region(state)
        if new_region or old.queue != state.queue:
            self._show_frames(state)
            self._draw("labels", soon=new_region)

    def redraw(self, content: Content) -> None:
        """Draw again what is made of content that has changed."""
        image_id = self._session.state.image_id
        if content is Content.LABELS:
            self._painter.reload()
            self._later.now("labels")
        elif content is Content.COMPARISONS:
            self._later.now("disagreement")
        elif content is Content.PREDICTIONS and not self._is_whole(image_id):
            self._later.now("heat")
            self._later.now("outline")

    def _is_whole(self, image_id: str | None) -> bool:
        return image_id is None or self._session.predictions.in_one_piece(image_id)

    def _begin_image(self, state: SessionState, *, is_first: bool) -> None:
        """Show another image alone; what lies over it waits for its turn."""
        self._painter.offer()
        for role in _OVER_IMAGE:
            self._registry.hide(role)
        self._show_image(state)
        if is_first:
            self._later.add("region")
            self._later.add("frames")
        self._later.add("tissue")

    def _draw(self, piece: str, *, soon: bool) -> None:
        if soon:
            self._later.add(piece)
        else:
            self._later.now(piece)

    @property
    def later(self) -> DeferredRedraw:
        """What still waits to be drawn."""
        return self._later

    def _read_ahead(self, state: SessionState) -> None:
        following = self._session.navigation.following
        if following is None or state.region_id is None:
            return
        asked = (*state.queue, *state.questions)
        region = next(q.region for q in asked if q.id == following)
        if region.image_id not in {state.image_id} | state.missing:
            self._ahead.want(region.image_id)

    def prefer(self, prefers: Preferences) -> None:
        """Show all as a person prefers it from now on."""
        self._prefers = prefers
        state = self._session.state
        if self._registry.get("regions") is not None:
            self._show_frames(state)
        self.maps.prefer(prefers)

    def look(self, see: OverlayOptions) -> None:
        """Show or hide what costs time to see."""
        self._see = see
        self._show_tissue(self._session.state)
        self._show_disagreement(self._session.state)

    def clear(self, *, keep: bool = False) -> None:
        """Remove every layer of ours, or keep them hidden for the project that follows.

        The paint layer always goes, with everything that is bound to it.
        """
        self.stop()
        if keep:
            self._registry.hand_over(without="paint")
        else:
            self._registry.clear()

    def stop(self) -> None:
        """Draw and read nothing more."""
        self._later.clear()
        self._ahead.wait()
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._session.maintenance.images_replaced.disconnect(self._on_replaced, missing_ok=True)

    def _on_replaced(self, image_ids: tuple[str, ...]) -> None:
        """Read the image on screen again where its file is another one now."""
        state = self._session.state
        self._ahead.drop()
        if state.image_id in image_ids:
            self._show_image(state)

    def frame_region(self, state: SessionState) -> None:
        """Fit the current region to the canvas with some of its surroundings, or the image."""
        layer = self._painter.layer if state.region is not None else self.picture
        if layer is not None and layer in self._viewer.layers:
            margin = 0.3 if state.region is not None else 0.05
            self._viewer.reset_view(layers=[layer], margin=margin)

    def centre_on(self, y: int, x: int) -> None:
        """Bring a pixel to the middle of the canvas, close enough to see what is there."""
        camera = self._viewer.scene.camera
        camera.center = (y, x)
        camera.zoom = max(camera.zoom, 3.0)

    def show_ghost(self, region: Region | None) -> None:
        """Outline where a region would be placed, with nothing dimmed; None outlines nothing."""
        self._ghost, self._has_ghost = region, True
        self._show_frames(self._session.state)

    def end_ghost(self) -> None:
        """Show the frames of the regions alone again."""
        self._ghost, self._has_ghost = None, False
        self._show_frames(self._session.state)

    def toggle(self, role: str) -> None:
        """Show or hide one of our layers."""
        if role == "image" and self._registry.is_away("image"):
            role = "slide"
        self._registry.toggle(role)

    def _on_removed(self, event: Any) -> None:
        """Remember which of our layers somebody has removed: it comes back at the next region.

        Not so the paint layer, whose paint nobody may lose: ``on_removed`` brings it back.
        """
        role = self._registry.role_of(event.value)
        if role is not None and role != "paint":
            self._registry.forget(role)
            self._removed.add(role)
        self.on_removed(event.value)

    def _restore_removed(self, state: SessionState) -> None:
        """Draw again what somebody has removed."""
        removed, self._removed = self._removed, set()
        if removed & {"image", "slide"}:
            self._show_image(state)
        for piece in (_PIECES[role] for role in _PIECES if role in removed):
            self._later.add(piece)

    @property
    def picture(self) -> Any:
        """The layer of the image on screen, plain or slide; None where there is none."""
        shown = (self._registry.get(r) for r in ("image", "slide") if not self._registry.is_away(r))
        return next((layer for layer in shown if layer is not None), None)

    # --- what is shown -----------------------------------------------------------------------

    def _given(self, role: str, make: Any, data: Any) -> Any:
        return self._registry.given(role, make, data, top=self._painter.layer)

    def _show_image(self, state: SessionState) -> None:
        if state.image_id is None:
            return
        ready = self._ahead.take(state.image_id)
        try:
            levels = [ready] if ready is not None else self._session.image_levels(state.image_id)
        except ImageError:
            for role in ("slide", "image"):  # of the image before
                self._registry.hide(role)
            raise
        if len(levels) > 1:
            self._registry.hide("image")
            layer = self._given(
                "slide",
                lambda: self._viewer.add_image(levels, rgb=True, multiscale=True),
                levels,
            )
        else:
            self._registry.hide("slide")
            pixels = np.asarray(levels[0])
            layer = self._given("image", lambda: self._viewer.add_image(pixels, rgb=True), pixels)
        layer.name = state.image_id

    def _show_tissue(self, state: SessionState) -> None:
        if not self._see.tissue or state.image_id is None:
            self._registry.hide("tissue")
            return
        mask = self._session.maintenance.tissue(state.image_id).astype(np.uint8)
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

    def _show_disagreement(self, state: SessionState) -> None:
        self.maps.show_disagreement(state, self._prefers, wanted=self._see.disagreement)

    def _show_labels(self, state: SessionState) -> None:
        if state.image_id is None:
            return
        step = coarse_step(self._session.project.images.ref(state.image_id).shape)
        paint = target_to_paint(self._session.labels.so_far(state.image_id, step=step))
        layer = self._registry.get("labels")
        if layer is None or not np.array_equal(layer.data, paint):
            layer = self._given(
                "labels", lambda: class_layer(paint, state.schema, opacity=0.35), paint
            )
            layer.name = "Labels so far"
        self._registry.bring_back("labels")
        lay_over(layer, step)
        colour_layer(layer, state.schema)

    # --- regions -----------------------------------------------------------------------------

    def _show_frames(self, state: SessionState) -> None:
        """Frame the regions of the image in the colours of their states; dim all but the one."""
        here = [
            q
            for q in state.queue
            if q.region.image_id == state.image_id and q.kind is not RegionKind.IMPORTED
        ]
        line, dims = self._line_width(), self._prefers.dims and not self._has_ghost
        placed = (state.region_id, state.image_id, self._ghost)
        framed = ([(q.id, q.state) for q in here], placed, line, dims)
        if framed == self._framed and self._registry.get("regions") is not None:
            return
        self._framed, self._line = framed, line
        widths = [1.6 * line if q.id == state.region_id else line for q in here]
        rings = [ring_of(q, width) for q, width in zip(here, widths, strict=True)]
        values = [float(_STATES.index(q.state)) for q in here]
        if self._ghost is not None:
            rings.append(rectangle_ring(self._ghost, line))
            values.append(float(len(_STATES) + 1))
            widths.append(line)
        mesh = outline_mesh(rings, values, widths)
        in_hand = next((q.region for q in here if q.id == state.region_id), None)
        if dims and in_hand is not None:
            shape = self._session.project.images.ref(in_hand.image_id).shape
            hole = (in_hand.y - 0.5, in_hand.x - 0.5, in_hand.bottom - 0.5, in_hand.right - 0.5)
            mesh = joined(veil_mesh(shape, hole, float(len(_STATES))), mesh)
        colours = [
            *(QColor(STATE_COLOURS[state]).getRgbF() for state in _STATES),
            _VEIL,
            _GHOST,
        ]
        layer = self._given(
            "regions",
            lambda: self._viewer.add_surface(
                mesh, name="Regions", colormap=colours_by_value(colours), shading="none"
            ),
            mesh,
        )
        if tuple(layer.contrast_limits) != (0.0, float(len(colours) - 1)):
            layer.contrast_limits = (0.0, float(len(colours) - 1))

    def _line_width(self) -> float:
        """Return how wide frames are in pixels of the image, so that they are 2 on the screen."""
        zoom = float(self._viewer.scene.camera.zoom)
        return float(2.0 ** np.ceil(np.log2(max(2.0 / max(zoom, 1e-6), 0.5))))

    def _on_zoom(self, _event: Any = None) -> None:
        """Draw frames as wide as they are to be seen from here."""
        if self._taking:
            return  # they are drawn in a moment
        if self._registry.get("regions") is not None and self._line_width() != self._line:
            self._show_frames(self._session.state)

    def _drop_inherited(self, _state: SessionState) -> None:
        """Remove what the project before has left and this one has not used, layer by layer."""
        if self._registry.drop_inherited():
            self._later.add("tidy")

    def _show_first_region(self, state: SessionState) -> None:
        self._take_region(state)
        self.on_taken()

    def _take_region(self, state: SessionState) -> None:
        self._taking = True
        try:
            self._lay_paint(state)
            self.frame_region(state)
        finally:
            self._taking = False

    def _lay_paint(self, state: SessionState) -> None:
        queued = state.region
        if queued is None or queued.region.image_id != state.image_id:
            self._painter.deactivate()
        else:
            self._painter.take(queued, state.schema, paint_colours(state.schema))
            self._registry.keep("paint", self._painter.layer, top=self._painter.layer)


def _shows_new_image(state: SessionState, old: SessionState | None) -> bool:
    """Return whether another image is to be shown, or one whose file was found again."""
    if old is None or old.image_id != state.image_id:
        return True
    return state.image_id in old.missing - state.missing


def _shows_new_region(state: SessionState, old: SessionState) -> bool:
    return old.schema != state.schema or old.region_id != state.region_id
