"""What the model says of the pixel under the mouse, in one line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel

from napari_active_seg.session import Session
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["Hover", "describe_pixel"]

#: The mouse is followed this often, in seconds.
_AGAIN_S = 0.05


class Hover:
    """Tells ``say`` about the pixel under the mouse while it moves over the image."""

    def __init__(self, viewer: ViewerModel, session: Session, say: Callable[[str], None]) -> None:
        self._viewer, self._session, self._say = viewer, session, say
        self._last = 0.0
        viewer.mouse_move_callbacks.append(self._on_move)

    def release(self) -> None:
        """Follow the mouse no more."""
        if self._on_move in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_move)

    def _on_move(self, _viewer: Any, event: Any) -> None:
        now = time.monotonic()
        if now - self._last < _AGAIN_S:
            return
        self._last = now
        state = self._session.state
        if state.image_id is None or state.blind:
            self._say("")
            return
        y, x = (round(float(v)) for v in event.position[-2:])
        for prediction in self._session.predictions.on_screen():
            words = describe_pixel(prediction, y, x, state.schema.names, state.measure)
            if words:
                break
        else:
            words = ""
        self._say(words)


def describe_pixel(
    prediction: Prediction, y: int, x: int, names: tuple[str, ...], measure: str
) -> str:
    """Return class probabilities and uncertainty of a pixel; nothing outside what was predicted."""
    kept = prediction.kept_at(y, x)
    named = get_measure(measure)
    if kept is None or not named.can_be_computed(prediction.moments):
        return ""
    probs = prediction.mean_probs[:, kept[0], kept[1]]
    best = probs.argsort()[::-1][:3]
    value = named.compute(prediction.moments.crop(*kept, 1, 1))
    parts = [f"{names[k]} {probs[k]:.2f}" for k in best.tolist()]
    return f"{', '.join(parts)}; {named.title} {float(value[0, 0]):.3f} {named.unit}"
