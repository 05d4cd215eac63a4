"""The widget that napari opens from its menus.

A module of its own, which napari imports when the widget is first opened: reading the manifest,
the reader and the sample data load no Qt. What the dock needs takes a second or two to import. It
is loaded in a background thread behind a progress dialog, so that the window keeps responding.
"""

from __future__ import annotations

from napari_active_seg.gui.shell.loading import import_behind_dialog

import_behind_dialog(
    ("napari_active_seg.api", "napari_active_seg.gui.shell.dock"), "Opening Label and train..."
)

from napari.viewer import Viewer  # noqa: E402

from napari_active_seg.api import desktop_backend  # noqa: E402
from napari_active_seg.gui.shell.dock import Dock  # noqa: E402

__all__ = ["LabelAndTrain"]


class LabelAndTrain(Dock):
    """The dock with everything that it needs.

    napari accepts a subclass of QWidget in its menus, and passes the viewer to the parameter
    called ``napari_viewer``.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, desktop_backend())
