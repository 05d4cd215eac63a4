"""The tissue mask on the canvas: shown, corrected with the brush, kept.

Regions are proposed only where it is painted. It is coarse, so that a slide's is small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.utils.colormaps import DirectLabelColormap

from napari_active_seg.session import Session

__all__ = ["TissueEditor"]

_COLOUR = "#009e73"


class TissueEditor:
    """Lays the mask of one image over it, and keeps what the person makes of it."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = viewer
        self._session = session
        self._layer: Any = None
        self._image_id: str | None = None
        self._before: Any = None

    @property
    def is_open(self) -> bool:
        """Whether a mask is being edited."""
        return self._image_id is not None

    def is_on(self, layer: Any) -> bool:
        """Return whether ``layer`` is the mask that is being edited."""
        return self._layer is not None and bool(layer == self._layer)

    def open(self) -> None:
        """Show the mask of the current image, ready to paint and to erase."""
        image_id = self._session.state.image_id
        if image_id is None:
            return
        mask = self._session.maintenance.tissue(image_id)
        shape = self._session.project.images.ref(image_id).shape
        scale = tuple(full / coarse for full, coarse in zip(shape, mask.shape, strict=True))
        colours = DirectLabelColormap(
            color_dict={0: "transparent", 1: _COLOUR, None: "transparent"}
        )
        self._before = mask.astype(np.uint8)
        self._layer = self._viewer.add_labels(
            self._before.copy(),
            name="Tissue",
            scale=scale,
            translate=tuple((s - 1) / 2 for s in scale),
            colormap=colours,
            opacity=0.35,
        )
        self._layer.brush_size = max(4, max(mask.shape) // 40)
        self._layer.mode = "paint"
        self._image_id = image_id
        self._viewer.reset_view(layers=[self._layer], margin=0.05)

    def close(self) -> None:
        """Keep what was changed and take the mask from the canvas."""
        image_id, layer = self._image_id, self._layer
        self._image_id = self._layer = None
        if image_id is None or layer is None:
            return
        mask = np.asarray(layer.data)
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        if not np.array_equal(mask, self._before):
            self._session.maintenance.set_tissue(image_id, mask > 0)
