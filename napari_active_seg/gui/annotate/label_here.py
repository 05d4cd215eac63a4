"""Place a region of one's own on the canvas: a click for a square, a drag for a box.

While it is on, the image is the active layer, so that the brush paints nothing, and an outline
follows the mouse and shows exactly what a click would place. The wheel zooms and Space with a drag
moves the view, as elsewhere in napari.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget

from napari_active_seg.errors import ActiveSegError, BadInputError
from napari_active_seg.gui.annotate.region_painter import RegionPainter
from napari_active_seg.gui.layers.sync import LayerBinder
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session import Session, SessionState
from napari_active_seg.session.state import OPEN_STATES

__all__ = ["RegionPlacer"]

#: A drag of fewer pixels on the screen is a click.
_STILL = 5.0


class RegionPlacer:
    """Lets a person place regions on the image that is shown."""

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        binder: LayerBinder,
        painter: RegionPainter,
        *,
        window: QWidget | None,
        on_failed: Callable[[Exception], None],
        on_changed: Callable[[], None],
    ) -> None:
        self._viewer, self._session = viewer, session
        self._binder, self._painter = binder, painter
        self._window, self._on_failed, self._on_changed = window, on_failed, on_changed
        self._image: Any = None  # the layer of the image while a region is being placed
        self._escape: QShortcut | None = None
        self._is_panning = False

    @property
    def is_on(self) -> bool:
        """Whether the next click places a region."""
        return self._image is not None

    def start(self) -> None:
        """Let the next click place a region; an error says why none may be placed here."""
        image_id, image = self._session.state.image_id, self._binder.picture
        if self.is_on or image_id is None or image is None:
            return
        self._session.manual.check_image(image_id)
        self._image = image
        self._viewer.layers.selection.active = image
        image.mouse_pan, image.cursor = False, "cross"
        image.bind_key("Space", self._pan_while_held, overwrite=True)
        image.bind_key("Escape", lambda _layer: self.stop(), overwrite=True)
        self._viewer.mouse_move_callbacks.append(self._on_move)
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        self._viewer.layers.selection.events.active.connect(self._on_active)
        self._session.state_changed.connect(self._on_state)
        if self._window is not None:  # wherever the focus is
            self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self._window)
            self._escape.setContext(Qt.ShortcutContext.ApplicationShortcut)
            self._escape.activated.connect(self.stop)
        self._show(self._pixel(self._viewer.cursor.position))
        self._on_changed()

    def stop(self) -> None:
        """Go back to painting."""
        image, self._image = self._image, None
        if image is None:
            return
        self._session.state_changed.disconnect(self._on_state)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        if self._escape is not None:
            self._escape.setEnabled(False)
            self._escape.deleteLater()
            self._escape = None
        image.bind_key("Space", None)
        image.bind_key("Escape", None)
        image.mouse_pan, image.cursor, self._is_panning = True, "standard", False
        self._binder.end_ghost()
        if self._viewer.layers.selection.active is image:
            self._painter.activate()
        self._on_changed()

    def place_under_mouse(self) -> None:
        """Place a square where the mouse is."""
        pixel = self._pixel(self._viewer.cursor.position)
        self._place(pixel, pixel)

    # --- the mouse ---------------------------------------------------------------------------

    def _on_move(self, _viewer: Any, event: Any) -> None:
        self._show(self._pixel(event.position))

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or self._is_panning:
            return
        start, first = self._pixel(event.position), np.array(event.pos, float)
        end = start
        yield
        while event.type == "mouse_move":
            moved = float(np.abs(np.array(event.pos, float) - first).max()) > _STILL
            end = self._pixel(event.position) if moved else start
            self._show(start, end)
            yield
        if self.is_on:  # Escape may have been pressed meanwhile
            self._place(start, end)

    def _pan_while_held(self, layer: Any) -> Iterator[None]:
        """Let a drag move the view while a key is held."""
        self._is_panning, layer.mouse_pan = True, True
        yield
        if self.is_on:
            self._is_panning, layer.mouse_pan = False, False

    # --- what is placed ----------------------------------------------------------------------

    def _show(self, start: tuple[int, int], end: tuple[int, int] | None = None) -> None:
        """Outline what would be placed; nothing where that is not possible."""
        place: MaskedRegion | None = None
        image_id = self._session.state.image_id
        if image_id is not None and self._region_at(image_id, start) is None:
            try:
                place = self._fitted(image_id, start, end or start)
            except BadInputError:
                place = None
        self._binder.show_ghost(None if place is None else place.region)

    def _place(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Place a region, or select the one that is there; stay on where neither is possible."""
        image_id = self._session.state.image_id
        if image_id is None:
            return
        try:
            there = self._region_at(image_id, start)
            if there is not None:
                self.stop()
                self._select(there)
                return
            place = self._fitted(image_id, start, end)
            self.stop()
            self._session.manual.add(place)
        except ActiveSegError as error:
            self._on_failed(error)

    def _select(self, there: QueuedRegion) -> None:
        self._session.select_region(there.id)
        if there.state in OPEN_STATES:
            notify("There is a region here already; it is selected now")
        else:
            state = there.state.replace("_", " ")
            notify(f"This place is in a region that is {state}: press Reopen to change it")

    def _region_at(self, image_id: str, pixel: tuple[int, int]) -> QueuedRegion | None:
        return self._session.manual.region_at(image_id, *pixel)

    def _fitted(self, image_id: str, start: tuple[int, int], end: tuple[int, int]) -> MaskedRegion:
        if start == end:
            return self._session.manual.fit_square(image_id, *start)
        return self._session.manual.fit_box(image_id, start, end)

    def _pixel(self, position: Any) -> tuple[int, int]:
        """Return the pixel (y, x) of the image at a position on the canvas."""
        y, x = self._image.world_to_data(position)[-2:]
        return int(np.floor(y + 0.5)), int(np.floor(x + 0.5))

    # --- what ends it ------------------------------------------------------------------------

    def _on_active(self, _event: Any = None) -> None:
        """Stop where the person works on another layer; our own paint layer has to wait."""
        active, image = self._viewer.layers.selection.active, self._image
        if image is None or active is image:
            return
        if active is not None and active is self._painter.layer and image in self._viewer.layers:
            self._viewer.layers.selection.active = image
        else:
            self.stop()

    def _on_state(self, new: SessionState, old: SessionState) -> None:
        """Stop where another image or region is taken up."""
        if (new.image_id, new.region_id) != (old.image_id, old.region_id):
            self.stop()
