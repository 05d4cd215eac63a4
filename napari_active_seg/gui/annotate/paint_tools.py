"""The tools of the paint layer: napari's own, and those that look at the image.

Smart fill, lasso and clicks show what they would do while the button is down, and paint it as one
stroke when it comes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.utils.action_manager import action_manager
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.gui.annotate.click_tool import Clicking
from napari_active_seg.gui.annotate.region_painter import RegionPainter
from napari_active_seg.paint_ops import (
    MagicWand,
    lasso_mask,
    remove_small_regions,
    smooth_mask,
    snap_to_edges,
)
from napari_active_seg.regions import target_to_paint
from napari_active_seg.session import Session

__all__ = ["TOOLS", "Toolbox"]

#: Tools by name, with napari's mode for those that are its own.
TOOLS: dict[str, str] = {
    "brush": "paint",
    "polygon": "polygon",
    "fill": "fill",
    "smart_fill": "",
    "click": "",
    "erase": "erase",
    "lasso": "",
}
#: Smart fill begins with colours this far apart (CIELAB); a drag of so many pixels doubles it.
_LIKENESS, _DOUBLES = 9.0, 120.0
_SMALLEST, _LARGEST = 1, 200


class Toolbox:
    """The current tool, and what is done to the paint as a whole."""

    def __init__(
        self,
        painter: RegionPainter,
        session: Session,
        run: Callable[..., None],
        clicking: Clicking,
    ) -> None:
        self._painter, self._session, self._run = painter, session, run
        self._clicking = clicking
        self._alike: tuple[str, MagicWand] | None = None
        self._pixels: tuple[str, NDArray[np.uint8]] | None = None
        self._listening: Any = None
        self._brush_size: float | None = None
        self._pans = False  # while Space is held
        self._has_polygon = False
        kept = session.navigation.bookmark.latest
        self.tool = kept.tool if kept.tool in TOOLS else "brush"
        self.keeps_others = False
        self._first_class = kept.class_index
        painter.on_taken = self.take_up

    @property
    def layer(self) -> Any:
        """The layer that is painted on; None before the first region."""
        return self._painter.layer

    def choose(self, tool: str) -> None:
        """Work with another tool from now on."""
        self.tool = tool
        self._session.navigation.bookmark.keep(tool=tool)
        self.take_up()

    def choose_class(self, index: int) -> None:
        """Work in another class; an eraser becomes a brush."""
        self._painter.choose_class(index)
        self._session.navigation.bookmark.keep(class_index=index)
        if self.tool in ("erase", "lasso"):
            self.choose("brush")

    def take_up(self) -> None:
        """Give the current tool to the current layer."""
        layer = self._painter.layer
        if layer is None or self._session.state.read_only or self._painter.region_id is None:
            return
        if layer is not self._listening:
            self._listening = layer
            layer.mouse_drag_callbacks.append(self._on_drag)
            layer.events.brush_size.connect(self._on_brush_size)
            layer.events.paint.connect(self._on_painted)
            layer.bind_key("Space", self._hold_to_pan)
        self._forget_polygon()
        self._pans = False
        if self._first_class >= 0:
            self._painter.choose_class(self._first_class)
            self._first_class = -1
        if self._brush_size is not None:
            layer.brush_size = self._brush_size
        layer.mode = TOOLS[self.tool] or "pan_zoom"
        layer.preserve_labels = self.keeps_others
        if not TOOLS[self.tool]:
            layer.mouse_pan = False
            layer.cursor = "cross"
        if self.tool == "click":
            self._run(self._look)

    def keep_others(self, wanted: bool) -> None:
        """Paint over what has no class yet alone, or over everything."""
        self.keeps_others = wanted
        if self._painter.layer is not None:
            self._painter.layer.preserve_labels = wanted

    def resize_brush(self, factor: float) -> None:
        """Make the brush larger or smaller, by a pixel at least."""
        layer = self._painter.layer
        if layer is not None:
            size = float(layer.brush_size)
            step = max(1.0, abs(size * factor - size))
            new = size + step if factor > 1 else size - step
            layer.brush_size = float(np.clip(round(new), _SMALLEST, _LARGEST))

    # --- the paint as a whole ----------------------------------------------------------------

    def snap(self) -> None:
        """Move the edges of the current class to those of the image."""
        paint, label = self._in_hand()
        area = paint == label
        if not area.any():
            raise NothingToDoError("nothing of this class is painted here yet")
        self._painter.repaint(_exchanged(paint, area, snap_to_edges(area, self._seen()), label,
                                         keeps_others=self.keeps_others))  # fmt: skip

    def smooth(self) -> None:
        """Smooth the edges of all classes."""
        paint, _ = self._in_hand()
        self._painter.repaint(smooth_mask(paint))

    def remove_specks(self) -> None:
        """Let small areas, and small gaps, become what is around them."""
        paint, _ = self._in_hand()
        least = max(12, paint.size // 1500)
        self._painter.repaint(remove_small_regions(paint, least=least))

    # --- the mouse ---------------------------------------------------------------------------

    def _on_drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Show what smart fill or lasso would do, and do it when the button comes up.

        What begins outside of the region's frame does nothing.
        """
        if event.button != 1 or self._painter.region_id is None or self._pans:
            return
        if self.tool == "polygon":
            yield from self._begin_polygon(layer, event)
            return
        if TOOLS[self.tool] or not self._is_inside(layer, event):
            return
        paint = np.array(layer.data)
        now: list[NDArray[np.uint8]] = [paint]
        begin = {"smart_fill": self._smart_fill, "lasso": self._lasso, "click": self._click}[
            self.tool
        ]

        def show(step: Callable[[Any], NDArray[np.uint8]]) -> None:
            now[0] = step(event)
            self._painter.preview(now[0])

        steps: list[Callable[[Any], NDArray[np.uint8]]] = []
        self._run(lambda: steps.append(begin(layer, event, paint)))
        if not steps:
            return
        show(steps[0])
        yield
        while event.type == "mouse_move":
            show(steps[0])
            yield
        self._painter.preview(None)
        self._painter.repaint(now[0])
        self._painter.stroked()

    def _smart_fill(
        self, layer: Any, event: Any, paint: NDArray[np.uint8]
    ) -> Callable[[Any], NDArray[np.uint8]]:
        alike = self._alike_pixels()
        y, x = (round(float(v)) for v in layer.world_to_data(event.position))
        start, label = float(event.pos[0]), int(layer.selected_label)

        def filled(now: Any) -> NDArray[np.uint8]:
            likeness = _LIKENESS * 2 ** ((float(now.pos[0]) - start) / _DOUBLES)
            area = alike.around(y, x, likeness=likeness)
            if self.keeps_others:
                area &= (paint == 0) | (paint == label)
            return np.where(area, np.uint8(label), paint)

        return filled

    def _lasso(
        self, layer: Any, _event: Any, paint: NDArray[np.uint8]
    ) -> Callable[[Any], NDArray[np.uint8]]:
        queued = self._painter.queued
        prediction = None
        if queued is not None and not self._session.state.blind:
            prediction = self._session.predictions.near(queued.region)
        if queued is None or prediction is None:
            raise NothingToDoError(self._session.predictions.why_none)
        draft = target_to_paint(prediction.crop_classes(queued.region))
        points: list[tuple[float, float]] = []

        def copied(now: Any) -> NDArray[np.uint8]:
            y, x = layer.world_to_data(now.position)
            points.append((float(y), float(x)))
            area = lasso_mask(points, (paint.shape[0], paint.shape[1]))
            if self.keeps_others:
                area &= paint == 0
            if area.any():
                self._painter.drafted()
            return np.where(area, draft, paint)

        return copied

    def _click(
        self, layer: Any, event: Any, paint: NDArray[np.uint8]
    ) -> Callable[[Any], NDArray[np.uint8]]:
        queued = self._painter.queued
        if queued is None:
            raise NothingToDoError("no region is selected")
        self._look()
        label = int(layer.selected_label)
        place = layer.world_to_data(event.position)
        painted = self._clicking.begin(
            queued.region,
            (float(place[0]), float(place[1])),
            event,
            paint,
            label,
            keeps_others=self.keeps_others,
        )

        def outlined(now: Any) -> NDArray[np.uint8]:
            y, x = layer.world_to_data(now.position)
            return painted(now, (float(y), float(x)))

        return outlined

    def _look(self) -> None:
        """Let the click helper look at the current region."""
        queued = self._painter.queued
        if queued is not None:
            self._clicking.look(queued.region, self._session.project.images.source)

    def _is_inside(self, layer: Any, event: Any) -> bool:
        """Return whether the mouse is over what may be painted of the region."""
        queued = self._painter.queued
        if queued is None:
            return False
        y, x = (round(float(v)) for v in layer.world_to_data(event.position))
        mask = queued.place.mask
        return 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and bool(mask[y, x])

    def _begin_polygon(self, layer: Any, event: Any) -> Iterator[None]:
        """Let a polygon begin inside the region alone; its later corners may lie outside."""
        if self._has_polygon or self._is_inside(layer, event):
            self._has_polygon = True
            return
        yield
        while event.type == "mouse_move":
            yield
        self._has_polygon = True  # napari has taken the corner
        self._forget_polygon()

    def _forget_polygon(self) -> None:
        """Drop the corners of a polygon that was begun and not closed."""
        if self._has_polygon and self._painter.is_active:
            action_manager.trigger("napari:reset_polygon")  # acts on the active layer
        self._has_polygon = False

    def _on_painted(self, _event: Any = None) -> None:
        self._has_polygon = False

    def _hold_to_pan(self, layer: Any) -> Iterator[None]:
        """Move the image with the mouse while Space is held, whatever the tool is."""
        mode, pans, cursor = layer.mode, layer.mouse_pan, layer.cursor
        layer.mode = "pan_zoom"
        layer.mouse_pan, self._pans = True, True
        yield
        self._pans = False
        layer.mode = mode
        layer.mouse_pan, layer.cursor = pans, cursor

    # --- what is seen ------------------------------------------------------------------------

    def _in_hand(self) -> tuple[NDArray[np.uint8], int]:
        layer = self._painter.layer
        if layer is None or self._painter.region_id is None:
            raise NothingToDoError("no region is selected")
        return np.array(layer.data), int(layer.selected_label)

    def _seen(self) -> NDArray[np.uint8]:
        """Return the pixels of the current region."""
        queued = self._painter.queued
        if queued is None:
            raise NothingToDoError("no region is selected")
        if self._pixels is None or self._pixels[0] != queued.id:
            region = queued.region
            source = self._session.project.images.source(region.image_id)
            try:
                pixels = source.read(0, region.y, region.x, *region.shape)
            except OSError as error:
                raise ImageError(f"image {region.image_id} cannot be read: {error}") from error
            self._pixels = (queued.id, pixels)
        return self._pixels[1]

    def _alike_pixels(self) -> MagicWand:
        pixels, region_id = self._seen(), str(self._painter.region_id)
        if self._alike is None or self._alike[0] != region_id:
            self._alike = (region_id, MagicWand(pixels))
        return self._alike[1]

    def _on_brush_size(self, event: Any) -> None:
        self._brush_size = float(event.source.brush_size)


def _exchanged(
    paint: NDArray[np.uint8],
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    label: int,
    *,
    keeps_others: bool,
) -> NDArray[np.uint8]:
    """Return paint in which a class covers ``after`` instead of ``before``.

    What it leaves goes to the nearest paint that is not it.
    """
    new = paint.copy()
    left = before & ~after
    if left.any() and not before.all():
        nearest = ndimage.distance_transform_edt(
            before, return_distances=False, return_indices=True
        )
        new[left] = paint[tuple(axis[left] for axis in nearest)]
    gained = after & ~before
    if keeps_others:
        gained &= paint == 0
    new[gained] = label
    return new
