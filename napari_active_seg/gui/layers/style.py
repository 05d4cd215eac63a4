"""How our layers look and where they lie: colours, frames, and maps over their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import Colormap, DirectLabelColormap, ensure_colormap
from numpy.typing import NDArray

from napari_active_seg.acquisition import simplify_outlines
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import LabelSchema, Region

__all__ = [
    "class_layer",
    "colour_layer",
    "heat_colours",
    "lay_over",
    "paint_colours",
    "rectangle_ring",
    "ring_of",
]

#: The schema whose colours a layer has.
_SCHEMA_KEY = "napari_active_seg_schema"
#: Background is painted over most of a region: so faint that the tissue below it is seen.
_BACKGROUND_ALPHA = 0.3


def paint_colours(schema: LabelSchema) -> DirectLabelColormap:
    """Return a colormap in which paint k + 1 has the colour of class k and 0 is clear.

    The background class is faint, so that tissue is seen although all of it is painted.
    """
    clear = (0.0, 0.0, 0.0, 0.0)
    colours: dict[int | None, tuple[float, float, float, float]] = {0: clear, None: clear}
    for k, colour in enumerate(schema.colours):
        alpha = _BACKGROUND_ALPHA if k == schema.background else 1.0
        red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
        colours[k + 1] = (red, green, blue, alpha)
    return DirectLabelColormap(color_dict=colours)


def heat_colours(name: str = "magma", title: str = "uncertainty") -> Colormap:
    """Return a scale that is clear where nothing is uncertain, so that the tissue stays seen."""
    steps = np.linspace(0, 1, 64)
    colours = ensure_colormap(name).map(0.25 + 0.75 * steps)
    colours[:, 3] = np.clip(1.6 * steps, 0, 1) ** 1.2
    return Colormap(colours, name=title, display_name=title)


def class_layer(paint: NDArray[np.uint8], schema: LabelSchema, *, opacity: float) -> Labels:
    """Return a layer in the classes' colours that nobody paints on."""
    layer = Labels(paint, colormap=paint_colours(schema), opacity=opacity)
    layer.editable = False
    layer.metadata[_SCHEMA_KEY] = schema
    return layer


def colour_layer(layer: Any, schema: LabelSchema) -> None:
    """Give a layer the classes' colours, if it does not have them: napari draws it again."""
    if layer.metadata.get(_SCHEMA_KEY) != schema:
        layer.colormap = paint_colours(schema)
        layer.metadata[_SCHEMA_KEY] = schema


def ring_of(queued: QueuedRegion, width: float) -> NDArray[np.float64]:
    """Return the corners (y, x) of what may be painted of a region, its line just outside."""
    region = queued.region
    if queued.shape is None:
        return rectangle_ring(region, width)
    rings = simplify_outlines(queued.place.mask, 0.7)
    ring = max(rings, key=len) if rings else np.array([[0, 0], [0, 1], [1, 1]], float)
    return ring + np.array([region.y, region.x], float)


def rectangle_ring(region: Region, width: float) -> NDArray[np.float64]:
    """Return the corners (y, x) of a rectangle, a line of ``width`` just outside of it."""
    out = width / 2 + 0.5
    top, left = region.y - out, region.x - out
    bottom, right = region.bottom - 1 + out, region.right - 1 + out
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])


def lay_over(layer: Any, step: int, y: int = 0, x: int = 0) -> None:
    """Lay a map over the pixels of the image that it stands for, the first of them at (y, x)."""
    scale = (float(step), float(step))
    translate = tuple(start + (step - 1) / 2 for start in (y, x))
    if tuple(layer.scale) != scale:
        layer.scale = scale
    if tuple(layer.translate) != translate:
        layer.translate = translate
