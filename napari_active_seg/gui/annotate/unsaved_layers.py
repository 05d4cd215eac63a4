"""Labels that could not be saved any more, kept as layers of the person's own."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Labels

from napari_active_seg.errors import ProjectTakenOverError
from napari_active_seg.gui.layers.style import paint_colours
from napari_active_seg.regions import target_to_paint
from napari_active_seg.session import Session

__all__ = ["UnsavedLayers"]


class UnsavedLayers:
    """Adds one layer for each region whose labels another window kept us from saving.

    The layers are not ours to remove: they stay when the project is closed or another is opened.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: list[Labels] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers that are still in the viewer."""
        return tuple(layer.name for layer in self._layers if layer in self._viewer.layers)

    def keep(self, session: Session) -> None:
        """Show everything that ``session`` has not saved, and stop saving it."""
        state = session.state
        regions = {queued.id: queued.region for queued in state.queue}
        for unsaved in session.labels.abandon():
            region = regions.get(unsaved.region_id)
            if unsaved.target is None or region is None:
                continue
            layer = self._viewer.add_labels(
                target_to_paint(unsaved.target),
                name=f"Not saved: {region.image_id}, y {region.y}, x {region.x}",
                translate=(region.y, region.x),
                colormap=paint_colours(state.schema),
                opacity=0.6,
                visible=region.image_id == state.image_id,
            )
            layer.editable = False
            self._layers.append(layer)

    def explain(self, error: Exception) -> Exception:
        """Return an error about a take-over that also says where the unsaved labels are."""
        if not isinstance(error, ProjectTakenOverError) or not self.names:
            return error
        return ProjectTakenOverError(f"{error}. {self.where}", by=error.by)

    @property
    def where(self) -> str:
        """A sentence about where the unsaved labels are, and how to keep them."""
        names = self.names
        layers = "the layer" if len(names) == 1 else "the layers"
        return (
            f"What you painted last could not be saved and is kept in {layers} "
            f"{', '.join(map(repr, names))}; save it with File > Save Selected Layers"
        )
