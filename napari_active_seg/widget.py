"""The dock as napari's manifest names it; importing this module loads next to nothing.

What the dock needs takes a second or two to import. It is loaded in a background thread behind a
dialog that says so, so that the window keeps responding from the click on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer

    from napari_active_seg.gui.dock import Dock

__all__ = ["DockWidget"]


class DockWidget:
    """What the manifest names: calling it returns the dock for a viewer.

    A class, since napari looks at ``__init__`` to learn that a viewer is wanted; and one that
    hands out another class's instance, so that reading the manifest loads no Qt.
    """

    def __new__(cls, napari_viewer: Viewer) -> Dock:
        """Return the dock for ``napari_viewer``."""
        from napari_active_seg.gui.loading import import_behind_dialog

        needed = ("napari_active_seg.plugin", "napari_active_seg.gui.dock")
        import_behind_dialog(needed, "Opening Active Segmentation...")
        from napari_active_seg.gui.dock import Dock
        from napari_active_seg.plugin import DesktopTools

        return Dock(napari_viewer, DesktopTools())

    def __init__(self, napari_viewer: Viewer) -> None:
        """Take a viewer; never called, since ``__new__`` returns something else."""
