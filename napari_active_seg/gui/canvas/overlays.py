"""What lies over the canvas and what listens to it: bars, keys, and the pixel under the mouse.

napari hands plugins no public way to the widget that it paints on; this is the only place that
reaches for it, and all goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_active_seg.gui.annotate.shortcuts import CLASS_KEYS, KeyBook
from napari_active_seg.gui.annotate.shortcuts_dialog import KeyHelp
from napari_active_seg.gui.canvas.colour_bar import ColourBar
from napari_active_seg.gui.canvas.pixel_readout import Hover
from napari_active_seg.gui.canvas.scale_bar import ScaleBar
from napari_active_seg.gui.shell.focus import CanvasFocus
from napari_active_seg.session import Session, SessionState

__all__ = ["CanvasExtras", "hold_drawn"]


class CanvasExtras:
    """Put over the canvas while a project is open."""

    def __init__(
        self,
        viewer: ViewerModel,
        dock: QWidget,
        session: Session,
        *,
        window: QWidget,
        book: Callable[[], KeyBook],
        say: Callable[[str], None],
    ) -> None:
        self._session = session
        self._hover = Hover(viewer, session, say)
        canvas = _canvas_in(window)
        self.scale = None if canvas is None else ScaleBar(viewer, canvas)
        self.colours = None if canvas is None else ColourBar(canvas)
        self.help = None if canvas is None else KeyHelp(canvas, book)
        self.focus = None
        if canvas is not None:
            self.focus = CanvasFocus(dock, canvas, lambda: {*book().keys.values(), *CLASS_KEYS})

    def render(self, state: SessionState) -> None:
        """Follow the image on screen."""
        if self.scale is not None and state.image_id is not None:
            self.scale.show_spacing(self._session.project.images.ref(state.image_id).spacing)

    def release(self) -> None:
        """Take everything away again."""
        self._hover.release()
        for part in (self.scale, self.colours, self.help, self.focus):
            if part is not None:
                part.release()


def hold_drawn(window: QWidget) -> None:
    """Keep what draws layers alive as long as the window, although they are removed.

    Software OpenGL crashes at the next painting where vispy deletes a mesh and other buffers
    between two of them; what is deleted with the window has no next painting.
    """
    canvas = _canvas_in(window)
    scene = getattr(getattr(canvas, "_vispy_canvas", None), "scene", None)
    if canvas is None or scene is None:
        return
    held = canvas.__dict__.setdefault("active_seg_drawn", [])
    nodes = [scene]
    while nodes:
        node = nodes.pop()
        nodes.extend(getattr(node, "children", ()))
        if not any(node is one for one in held):
            held.append(node)


def _canvas_in(window: QWidget) -> QWidget | None:
    """Return the widget that napari paints on, in the window that the dock is in."""
    found = [w for w in window.findChildren(QWidget) if "CanvasBackend" in type(w).__name__]
    return found[0] if found else None
