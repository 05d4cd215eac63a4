"""Painting inside one region: a small Labels layer over it, saved as one paints.

The layer is the crop itself, placed with ``translate``: painting outside the region is
impossible, and slides stay fast. One layer serves all regions in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import (
    UNLABELLED,
    Effort,
    LabelSchema,
    RegionState,
    paint_to_target,
    target_to_paint,
)
from napari_active_seg.session import Session

__all__ = ["RegionPainter"]

_SAVE_AFTER_MS = 400


class RegionPainter:
    """Holds the layer of the region in hand and writes what changes to the session."""

    def __init__(
        self, viewer: ViewerModel, session: Session, run: Callable[[Callable[[], object]], None]
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._run = run
        self._queued: QueuedRegion | None = None
        self._schema: LabelSchema | None = None
        self._saved: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._strokes = 0
        self.layer: Labels | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)

    @property
    def region_id(self) -> str | None:
        """The region in hand."""
        return None if self._queued is None else self._queued.id

    def take(self, queued: QueuedRegion, schema: LabelSchema, colours: Any) -> None:
        """Save what is in hand and lay the paint layer over ``queued``."""
        self.flush()
        label = self._session.label(queued.id)
        unpainted = np.full(queued.region.shape, UNLABELLED, np.uint8)
        self._saved = unpainted if label is None else label.target
        self._queued, self._schema, self._strokes = queued, schema, 0
        layer = self.layer
        if layer is None or layer not in self._viewer.layers:
            layer = self._new_layer(target_to_paint(self._saved), colours)
        else:
            with layer.events.set_data.blocker(self._on_change):
                layer.editable = False  # forgets the undo steps of the region before
                layer.data = target_to_paint(self._saved)
                layer.editable = True
        layer.translate = (queued.region.y, queued.region.x)
        layer.visible = True
        layer.mode = "paint"
        layer.brush_size = max(4, queued.region.height // 12)
        layer.selected_label = len(schema)
        self._viewer.layers.selection.active = layer
        self.layer = layer

    def put_down(self) -> None:
        """Save what is not saved yet and hide the paint layer."""
        self.flush()
        self._queued = None
        if self.layer is not None and self.layer in self._viewer.layers:
            self.layer.visible = False
            self.layer.mode = "pan_zoom"

    def _new_layer(self, paint: NDArray[np.uint8], colours: Any) -> Labels:
        layer = self._viewer.add_labels(paint, name="Paint here", colormap=colours, opacity=0.6)
        layer.events.paint.connect(self._on_paint)
        layer.events.set_data.connect(self._on_change)
        return layer

    def choose_class(self, index: int) -> None:
        """Paint with class ``index`` from now on."""
        if self.layer is not None and self._schema is not None and index < len(self._schema):
            self.layer.selected_label = index + 1
            self.layer.mode = "paint"

    def fill(self, target: NDArray[np.uint8], *, only_empty: bool = True) -> None:
        """Paint ``target`` (H, W) of the region as one stroke that undo takes back."""
        if self.layer is None or self._queued is None:
            return
        paint = target_to_paint(target)
        where = paint > 0
        if only_empty:
            where &= np.asarray(self.layer.data) == 0
        indices = np.nonzero(where)
        if len(indices[0]):
            self.layer.data_setitem(indices, paint[indices])

    def fill_rest(self, index: int) -> None:
        """Give class ``index`` to all that is not painted, as one stroke."""
        if self.layer is not None:
            self.fill(np.full(np.shape(self.layer.data), index, np.uint8))

    def flush(self) -> None:
        """Write the region to the disk if it differs from what is there."""
        self._timer.stop()
        layer, queued, schema = self.layer, self._queued, self._schema
        if layer is None or queued is None or schema is None:
            return
        target = paint_to_target(np.asarray(layer.data), n_classes=len(schema))
        changed = int(np.count_nonzero(target != self._saved))
        if changed == 0:
            return
        effort = Effort(strokes=self._strokes, changed_px=changed)
        self._strokes = 0
        self._saved = target
        before = self._session.project.regions.get(queued.id).state
        state = RegionState.IN_PROGRESS if before is RegionState.PROPOSED else before
        self._run(lambda: self._session.save_label(queued.id, target, state=state, effort=effort))

    def _on_paint(self, _event: Any = None) -> None:
        self._strokes += 1
        self._on_change()

    def _on_change(self, _event: Any = None) -> None:
        if not self._timer.isActive():
            self._timer.start(_SAVE_AFTER_MS)
