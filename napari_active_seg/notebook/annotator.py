"""Painting proposed regions in a notebook, on the same session and store as the desktop.

The browser shows and draws at once; what a stroke covers is worked out here, so that the same
stroke leaves the same pixels everywhere. Each stroke is on the disk before the browser hears of it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray
from psygnal import emit_queued

from napari_active_seg.errors import ActiveSegError, BadInputError, NothingToDoError
from napari_active_seg.figures import heatmap_rgb, image_png
from napari_active_seg.notebook.region_canvas import RegionCanvas
from napari_active_seg.paint_ops import MagicWand, lasso_mask, stroke_mask
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import UNLABELLED, RegionState
from napari_active_seg.session import Session, SessionState
from napari_active_seg.session.labels.effort import EffortMeter
from napari_active_seg.session.labels.service import NOT_LABELLED
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["RegionAnnotator", "annotate"]

_HERE = Path(__file__).parent
#: So much of what is around a region is shown, as a share of its sides, and in pixels at most.
_MARGIN, _MOST_MARGIN = 0.25, 128
_LEAVING = {
    "done": RegionState.DONE,
    "skip": RegionState.SKIPPED,
    "later": RegionState.LATER,
    "cant_tell": RegionState.CANT_TELL,
}


def annotate(session: Session) -> RegionAnnotator:
    """Return a widget to label the current region; the last value of a cell.

    ``session.propose()`` fills the queue before it, ``session.train()`` learns from it after.
    """
    return RegionAnnotator(session)


class RegionAnnotator(anywidget.AnyWidget):
    """The current region with brush, eraser, polygon and fill, and buttons to the next."""

    _esm = _HERE / "annotator.js"
    _css = _HERE / "annotator.css"

    picture = traitlets.Bytes(b"").tag(sync=True)  #: PNG of the region and what is around it
    heat = traitlets.Bytes(b"").tag(sync=True)  #: PNG of the uncertainty in the region
    predicted = traitlets.Bytes(b"").tag(sync=True)  #: the predicted class of each of its pixels
    inside = traitlets.Bytes(b"").tag(sync=True)  #: which may be painted, where not all may
    paint = traitlets.Bytes(b"").tag(sync=True)  #: the target, a byte a pixel
    facts = traitlets.Dict({}).tag(sync=True)

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._session = session
        self._meter = EffortMeter(clock)
        self._canvas: RegionCanvas | None = None
        self._crop: NDArray[np.uint8] | None = None
        self._alike: MagicWand | None = None
        self._begun = "empty"
        self._about: dict[str, Any] = {}
        self._thread, self._loop = threading.get_ident(), _running_loop()
        self.on_msg(self._on_message)
        session.state_changed.connect(self._on_state)
        self._take()

    def close(self) -> None:
        """Disconnect from the session."""
        self._session.state_changed.disconnect(self._on_state)
        super().close()

    # --- what comes from the browser ----------------------------------------------------------

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Answer where the session lives: kernels hear browsers in threads of their own."""
        if self._loop is None or threading.get_ident() == self._thread:
            self.answer(content)
        else:
            self._loop.call_soon_threadsafe(self.answer, content)

    def answer(self, content: dict[str, Any]) -> None:
        """Handle a message of the browser, and put an error into ``facts``."""
        message, question = "", False
        self._meter.touched()
        try:
            question = self._do(content)
        except ActiveSegError as error:
            message = str(error)
        emit_queued()
        self._send_facts(message=message, question=question)

    def _do(self, content: dict[str, Any]) -> bool:
        """Handle it; return whether the person must first decide what unpainted pixels are."""
        kind = content.get("kind")
        if kind in ("next", "back"):
            self._session.next_region() if kind == "next" else self._session.navigation.back()
        elif kind == "unpainted":
            self._session.maintenance.configure(unpainted=content["as"])
            return self._leave(RegionState.DONE)
        elif kind in _LEAVING:
            return self._leave(_LEAVING[kind])
        elif kind == "reopen":
            self._session.labels.reopen(self._get_canvas().queued.id)
        elif kind != "touched":
            self._change(str(kind), content)
        return False

    def _change(self, kind: str, content: dict[str, Any]) -> None:
        canvas = self._get_canvas()
        self._check_not_finished()
        shape = canvas.target.shape
        value = self._value(content.get("value", UNLABELLED))
        points = [(float(y), float(x)) for y, x in content.get("points", ())]
        if kind == "stroke":
            where = stroke_mask(points, float(content["radius"]), shape)
            changed = canvas.paint(where, value)
        elif kind == "polygon":  # corners are between pixels here, on their centres there
            changed = canvas.paint(
                lasso_mask([(y - 0.5, x - 0.5) for y, x in points], shape), value
            )
        elif kind == "fill":
            changed = canvas.paint(self._alike_at(*points[0]), value)
        elif kind == "rest":
            changed = canvas.fill_rest(value)
        elif kind == "draft":
            changed = self._apply_draft(canvas)
        elif kind in ("undo", "redo"):
            self._meter.undid()
            changed = canvas.undo() if kind == "undo" else canvas.redo()
        else:
            raise BadInputError(f"unknown message {kind!r} of the browser")
        if kind not in ("undo", "redo"):
            self._meter.stroked()
        if changed:
            effort = replace(self._meter.take(changed), begun=self._begun)
            self._session.labels.save(canvas.queued.id, canvas.target, effort=effort)

    def _value(self, value: object) -> int:
        known = (*range(len(self._session.state.schema)), UNLABELLED)
        if value not in known:
            raise BadInputError(f"this project has no class {value!r}")
        return int(str(value))

    def _get_canvas(self) -> RegionCanvas:
        if self._canvas is None:
            raise NothingToDoError("no current region; propose some, or choose next")
        return self._canvas

    def _check_not_finished(self) -> None:
        queued = self._session.state.region
        if queued is not None and queued.is_answered:
            raise NothingToDoError("this region is finished; reopen it to paint in it again")

    def _alike_at(self, y: float, x: float) -> NDArray[np.bool_]:
        if self._crop is None:
            raise NothingToDoError("no picture of this region")
        if self._alike is None:
            self._alike = MagicWand(self._crop)
        height, width = self._crop.shape[:2]
        return self._alike.around(min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1))

    def _apply_draft(self, canvas: RegionCanvas) -> int:
        prediction = self._prediction(canvas.queued)
        if prediction is None:
            raise NothingToDoError("no prediction of this image yet; train a model")
        self._begun = "prediction"
        return canvas.apply_draft(prediction.crop_classes(canvas.queued.region))

    def _leave(self, state: RegionState) -> bool:
        canvas, labels = self._get_canvas(), self._session.labels
        queued = canvas.queued
        target = None
        if state is RegionState.DONE:
            unpainted = labels.unpainted_pixels(queued.id, canvas.target)
            if unpainted and labels.asks_about_unpainted:
                return True
            is_empty = not (canvas.target != UNLABELLED).any()
            fills = labels.unpainted_class is not None or is_empty
            target = canvas.target if unpainted and fills else None
        effort = replace(self._meter.take(0), begun=self._begun)
        labels.leave(queued.id, state, target=target, effort=effort)
        labels.flush()
        self._session.next_region()
        return False

    # --- what goes to the browser ----------------------------------------------------------------

    def _on_state(self, new: SessionState, old: SessionState) -> None:
        if new.region_id != old.region_id or new.schema != old.schema:
            self._take()
            self._send_facts()
        elif new.model != old.model or new.predicted != old.predicted or new.measure != old.measure:
            self._show_model()
            self._send_facts()
        elif new.queue != old.queue:
            self._send_facts()

    def _take(self) -> None:
        """Show the session's current region, with its picture and its label."""
        queued = self._session.state.region
        self._canvas = self._crop = self._alike = None
        self._about = {}
        self._begun = "blind" if self._session.state.blind else "empty"
        if queued is None:
            with self.hold_trait_notifications():
                self.picture = self.heat = self.predicted = self.inside = self.paint = b""
            self._send_facts()
            return
        region = queued.region
        source = self._session.project.images.source(region.image_id)
        margin = min(_MOST_MARGIN, int(_MARGIN * max(region.height, region.width)))
        top, left = max(0, region.y - margin), max(0, region.x - margin)
        bottom = min(source.shape[0], region.bottom + margin)
        right = min(source.shape[1], region.right + margin)
        around = source.read(0, top, left, bottom - top, right - left)
        down, across = region.y - top, region.x - left
        self._crop = around[down : down + region.height, across : across + region.width]
        label = self._session.labels.latest(queued.id)
        self._canvas = RegionCanvas(queued, None if label is None else label.target)
        self._about = {"top": down, "left": across, "rows": around.shape[0]}
        self._about["columns"] = around.shape[1]
        with self.hold_trait_notifications():
            self.picture = image_png(np.ascontiguousarray(around))
            shape = queued.shape
            self.inside = b"" if shape is None else shape.mask.astype(np.uint8).tobytes()
            self._show_model()
        self._meter.start()
        self._send_facts()

    def _show_model(self) -> None:
        """Show the prediction of the region, except in blind mode."""
        canvas = self._canvas
        prediction = None if canvas is None else self._prediction(canvas.queued)
        if canvas is None or prediction is None or self._session.state.blind:
            self.heat = self.predicted = b""
            return
        region = canvas.queued.region
        measure = get_measure(self._session.state.measure)
        values = measure.compute(prediction.crop_moments(region))
        bound = measure.upper_bound(prediction.moments.n_classes)
        top = float(values.max(initial=0.0)) if np.isinf(bound) else bound
        black = np.zeros((*values.shape, 3), np.uint8)
        self.heat = image_png(heatmap_rgb(black, values, highest=top, opacity=1.0))
        self.predicted = prediction.crop_classes(region).tobytes()

    def _prediction(self, queued: QueuedRegion) -> Prediction | None:
        return self._session.prediction(queued.region.image_id)

    def _send_facts(self, *, message: str = "", question: bool = False) -> None:
        state, canvas = self._session.state, self._canvas
        queued = state.region
        facts: dict[str, Any] = {
            "classes": [
                {"name": name, "colour": colour}
                for name, colour in zip(state.schema.names, state.schema.colours, strict=True)
            ],
            "message": message,
            "question": [*state.schema.names, NOT_LABELLED] if question else [],
            "waiting": len(state.open_regions),
            "answered": sum(q.is_answered for q in state.proposed_regions),
            "readOnly": state.read_only,
            "measure": get_measure(state.measure).title,
            "unlabelled": UNLABELLED,
        }
        if canvas is not None and queued is not None:
            facts |= self._about
            facts |= {
                "region": queued.id,
                "image": queued.region.image_id,
                "height": queued.region.height,
                "width": queued.region.width,
                "reason": "" if state.blind else queued.reason,
                "state": queued.state.replace("_", " "),
                "finished": queued.is_answered,
                "canUndo": canvas.can_undo,
                "canRedo": canvas.can_redo,
            }
            self.paint = canvas.target.tobytes()
        self.facts = facts


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
