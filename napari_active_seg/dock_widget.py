"""The widget that napari opens from its menus.

A module of its own, which napari imports when the widget is first opened: reading the manifest,
the reader and the sample data load no Qt.
"""

from __future__ import annotations

from napari.viewer import Viewer

from napari_active_seg.gui.dock import Dock
from napari_active_seg.plugin import DesktopTools

__all__ = ["LabelAndTrain"]


class LabelAndTrain(Dock):
    """The dock with everything that it needs.

    napari accepts a subclass of QWidget in its menus, and passes the viewer to the parameter
    called ``napari_viewer``.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, DesktopTools())
