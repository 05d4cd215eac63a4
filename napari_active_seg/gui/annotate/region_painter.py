"""Painting inside one region: a small Labels layer over it, saved as one paints.

What the tools do with the mouse is in ``tools.py``; here is where paint goes. The layer is the crop
itself, placed with ``translate``: painting outside the region is impossible, and slides stay fast.
One layer serves all regions in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import (
    UNLABELLED,
    LabelSchema,
    RegionState,
    fill_outside_shape,
    paint_to_target,
    target_to_paint,
)
from napari_active_seg.session import Session
from napari_active_seg.session.labels.effort import EffortMeter

__all__ = ["RegionPainter"]

#: Strokes that come closer than this are looked at together; the saver writes once a second.
_LOOK_AFTER_MS = 150


class RegionPainter:
    """Holds the layer of the current region and hands what changes to the session's saver."""

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        run: Callable[[Callable[[], object]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._run = run
        self._queued: QueuedRegion | None = None
        self._schema: LabelSchema | None = None
        self._offered: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._seen: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._meter = EffortMeter(clock)
        self._seconds: dict[str, float] = {}  # of each region when it was left in this session
        self._mouse_is_down = False
        self._filling = False
        self._begun = ""
        self._before: NDArray[np.uint8] | None = None  # paint under a preview
        self.on_taken: Callable[[], None] = lambda: None
        self.layer: Labels | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.offer)

    @property
    def queued(self) -> QueuedRegion | None:
        """The current region, with all that the queue knows of it."""
        return self._queued

    @property
    def meter(self) -> EffortMeter:
        """What counts a person's time and strokes."""
        return self._meter

    @property
    def target(self) -> NDArray[np.uint8] | None:
        """What is painted of the current region, as a target (H, W); None without one."""
        if self.layer is None or self._queued is None or self._schema is None:
            return None
        target = paint_to_target(np.asarray(self.layer.data), n_classes=len(self._schema))
        return fill_outside_shape(target, self._queued.shape)

    @property
    def region_id(self) -> str | None:
        """The current region."""
        return None if self._queued is None else self._queued.id

    @property
    def is_active(self) -> bool:
        """Whether the mouse and the keys work on the paint layer."""
        return self.layer is not None and self._viewer.layers.selection.active == self.layer

    def take(self, queued: QueuedRegion, schema: LabelSchema, colours: Any) -> None:
        """Save the current region and lay the paint layer over ``queued``."""
        self.preview(None)
        self.offer()
        self._note_seconds()
        if queued.id in self._session.state.unsaved:  # what it was left as a moment ago
            self._run(self._session.labels.flush)
        label = self._session.labels.latest(queued.id)
        unpainted = np.full(queued.region.shape, UNLABELLED, np.uint8)
        self._offered = unpainted if label is None else label.target
        new_colours = self._schema != schema
        self._queued, self._schema = queued, schema
        paint = target_to_paint(self._offered)
        layer = self.layer
        if layer is None or layer not in self._viewer.layers:
            layer = self._new_layer(paint, colours)
            layer.brush_size = max(4, queued.region.height // 12)
        else:
            # The viewer measures all layers at each event: that of the place is enough.
            with layer.events.set_data.blocker(self._on_change), layer.events.data.blocker():
                layer.editable = False  # forgets the undo steps of the region before
                layer.data = paint
                layer.editable = True
                if new_colours:
                    layer.colormap = colours
        self._seen = paint.copy()
        layer.translate = (queued.region.y, queued.region.x)
        if not layer.visible:
            layer.visible = True
        if new_colours or layer.selected_label == 0:
            layer.selected_label = len(schema)
        if self._session.state.read_only:
            layer.mode = "pan_zoom"
            layer.editable = False
        self._begun = "blind" if self._session.state.blind else "empty"
        self._viewer.layers.selection.active = layer
        self.layer = layer
        self.on_taken()
        saved, seen = self._session.labels.seconds(queued.id), self._seconds.get(queued.id, 0.0)
        self._meter.start(already_s=max(saved, seen))

    def _note_seconds(self) -> None:
        """Remember the time of the current region, looks after the last stroke included."""
        if self._queued is not None:
            self._seconds[self._queued.id] = self._meter.total_s

    def lock(self) -> None:
        """Keep what is painted on the screen, and let nobody paint any more."""
        self._mouse_is_down = False
        if self.layer is not None:
            self.layer.mode = "pan_zoom"
            self.layer.editable = False

    def activate(self) -> None:
        """Make the paint layer the one that the mouse works on."""
        if self.layer is None or self._queued is None:
            return
        if self.layer not in self._viewer.layers:  # somebody removed it, with what is painted in it
            self._viewer.add_layer(self.layer)
        self._viewer.layers.selection.active = self.layer

    def deactivate(self) -> None:
        """Hand over what is not saved yet and hide the paint layer."""
        self.offer()
        self._note_seconds()
        self._queued = None
        if self.layer is not None and self.layer in self._viewer.layers:
            self.layer.visible = False
            self.layer.mode = "pan_zoom"

    def _new_layer(self, paint: NDArray[np.uint8], colours: Any) -> Labels:
        layer = self._viewer.add_labels(paint, name="Paint here", colormap=colours, opacity=0.6)
        layer.events.paint.connect(self._on_paint)
        layer.events.set_data.connect(self._on_change)
        layer.events.mode.connect(self._on_mode)
        layer.mouse_drag_callbacks.append(self._on_press)
        layer.mouse_move_callbacks.append(self._on_move)
        return layer

    def show(self, target: NDArray[np.uint8]) -> None:
        """Show a label that is on the disk already, such as an earlier save."""
        if self.layer is None:
            return
        paint = target_to_paint(target)
        self._offered, self._seen = target, paint.copy()
        with self.layer.events.set_data.blocker(self._on_change):
            self.layer.data = paint
            self.layer.refresh()

    def reload(self) -> None:
        """Show the label on the disk of a finished region that was changed elsewhere."""
        queued, session = self._queued, self._session
        if queued is None or queued.id in session.state.unsaved:
            return
        label = session.labels.latest(queued.id)
        if label is not None and label.state is RegionState.DONE:
            self.show(label.target)

    def choose_class(self, index: int) -> None:
        """Paint with class ``index`` from now on."""
        if self.layer is not None and self._schema is not None and index < len(self._schema):
            self.layer.selected_label = index + 1

    def fill(self, target: NDArray[np.uint8], *, only_empty: bool = True) -> None:
        """Paint ``target`` (H, W) of the region as one stroke that undo takes back."""
        if self.layer is not None:
            where = target != UNLABELLED
            if only_empty:
                where &= np.asarray(self.layer.data) == 0
            self.repaint(np.where(where, target_to_paint(target), np.asarray(self.layer.data)))

    def apply_draft(self, target: NDArray[np.uint8], *, only_empty: bool = True) -> None:
        """Paint a prediction of the region as a draft, and remember that it was begun with one."""
        self.drafted()
        self.fill(target, only_empty=only_empty)

    def drafted(self) -> None:
        """Remember that something of the prediction was copied into this region."""
        self._begun = "prediction"

    def stroked(self) -> None:
        """Count a stroke of a tool that paints by itself."""
        self._meter.stroked()

    def repaint(self, paint: NDArray[np.uint8]) -> None:
        """Make the region look like ``paint`` (H, W), as one stroke that undo takes back."""
        if self.layer is None or self._queued is None or not self.layer.editable:
            return
        differs = (np.asarray(self.layer.data) != paint) & self._queued.place.mask
        indices = np.nonzero(differs)
        if len(indices[0]):
            self._filling = True
            try:
                self.layer.data_setitem(indices, paint[indices])
            finally:
                self._filling = False
                self._seen = np.array(self.layer.data)

    def fill_rest(self, index: int) -> None:
        """Give class ``index`` to all that is not painted, as one stroke."""
        if self.layer is not None:
            self.fill(np.full(np.shape(self.layer.data), index, np.uint8))

    def offer(self) -> None:
        """Hand what differs from the last time to the saver; it writes in its own thread."""
        self._timer.stop()
        layer, queued, schema = self.layer, self._queued, self._schema
        if layer is None or queued is None or schema is None:
            return
        if self._previewing:  # a tool shows what it would do; nothing is painted yet
            return
        target = paint_to_target(np.asarray(layer.data), n_classes=len(schema))
        target = fill_outside_shape(target, queued.shape)
        changed = int(np.count_nonzero(target != self._offered))
        if changed == 0:
            return
        effort = replace(self._meter.take(changed), begun=self._begun)
        self._offered = target
        self._run(lambda: self._session.labels.offer(queued.id, target, effort))

    def leave(self, state: RegionState) -> None:
        """Hand the last strokes over with the state that the region goes to."""
        self.offer()
        if self._queued is not None:
            effort = replace(self._meter.take(0), begun=self._begun)
            target = self._to_complete() if state is RegionState.DONE else None
            self._session.labels.leave(self._queued.id, state, target=target, effort=effort)

    def _to_complete(self) -> NDArray[np.uint8] | None:
        """Return the paint where the project's rule has something to fill; else None.

        A region without unpainted pixels keeps the save that it has, with the numbers of its
        objects.
        """
        labels, target, queued = self._session.labels, self.target, self._queued
        if target is None or queued is None:
            return None
        fills = labels.unpainted_class is not None or not (target != UNLABELLED).any()
        return target if fills and labels.unpainted_pixels(queued.id, target) else None

    def preview(self, paint: NDArray[np.uint8] | None) -> None:
        """Show what a tool would make of the region; None shows what is painted again.

        Nothing of it is saved, and undo knows nothing of it.
        """
        layer = self.layer
        if layer is None:
            return
        if paint is not None and self._before is None:
            self._before = np.array(layer.data)
        shown = self._before if paint is None else paint
        if shown is not None:
            with layer.events.set_data.blocker(self._on_change):
                layer.data[...] = shown
                layer.refresh()
        if paint is None:
            self._before = None

    def save(self) -> None:
        """Return when all that was painted is on the disk."""
        self.offer()
        self._run(self._session.labels.flush)

    @property
    def _previewing(self) -> bool:
        return self._before is not None

    def _keep_inside(self) -> None:
        """Take back what was painted outside the shape of a region that is no rectangle."""
        layer, queued = self.layer, self._queued
        if layer is None or queued is None or queued.shape is None:
            return
        paint = np.asarray(layer.data)
        outside = (paint > 0) & ~queued.shape.mask
        if outside.any():
            with layer.events.set_data.blocker(self._on_change):
                layer.data[outside] = 0
                layer.refresh()

    def _on_mode(self, _event: Any = None) -> None:
        """Take up the tool again where napari would move the layer off its region."""
        if self.layer is not None and self.layer.mode == "transform":
            self.layer.mode = "pan_zoom"
            self.on_taken()

    def _on_press(self, _layer: Labels, _event: Any) -> Iterator[None]:
        self._meter.clicked()
        self._mouse_is_down = True
        yield
        while _event.type == "mouse_move":
            self._meter.touched()
            yield
        self._mouse_is_down = False
        self._keep_inside()

    def _on_move(self, _layer: Labels, _event: Any) -> None:
        self._meter.touched()

    def _on_paint(self, _event: Any = None) -> None:
        self._meter.stroked()
        if self.layer is not None:
            self._seen = np.array(self.layer.data)
        self._on_change()

    def _on_change(self, _event: Any = None) -> None:
        """Look again soon; what changed without a brush or a fill was an undo or a redo."""
        if self._previewing:
            return
        if not self._mouse_is_down:
            self._keep_inside()
        if self.layer is not None and not self._mouse_is_down and not self._filling:
            paint = np.asarray(self.layer.data)
            if not np.array_equal(paint, self._seen):
                self._meter.undid()
                self._seen = paint.copy()
        if not self._timer.isActive():
            self._timer.start(_LOOK_AFTER_MS)
