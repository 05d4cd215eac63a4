"""Export: the finished labels, for other tools."""

from __future__ import annotations

from magicgui.widgets import ComboBox

from napari_active_seg.errors import ConfigError
from napari_active_seg.export import EXPORTERS
from napari_active_seg.gui.notifications import tell_info
from napari_active_seg.gui.panels.base import (
    Panel,
    button,
    folder_edit,
    folder_of,
    form,
    group,
    words,
)
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session, ViewState

__all__ = ["ExportPanel"]


class ExportPanel(Panel):
    """The last tab."""

    title = "Export"

    def build(self) -> None:
        """Lay out format, folder and the button."""
        self.format = ComboBox(
            label="format", choices=[(e.title, e.name) for e in EXPORTERS.values()]
        )
        self.folder = folder_edit("to folder")
        self.form = form(self.format, self.folder)
        self.go = button("Export finished labels", self._export)
        self.hint = words()
        self.body.addWidget(group("Export", self.form, self.hint, self.go))

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show how much there is to export."""
        super().render_state(session, view)
        done = session.state.counts[RegionState.DONE]
        self.hint.setText(
            f"{done} finished regions. What is not labelled is written as 255, never as background"
        )
        self.go.setEnabled(done > 0 and not view.can_cancel)

    def _export(self) -> None:
        session = self.desk.session
        if session is None:
            return
        folder = folder_of(self.folder)

        def start() -> None:
            if folder is None:
                raise ConfigError("choose a new or empty folder to export to")
            session.export(
                self.format.value,
                folder,
                on_done=lambda done: tell_info(
                    f"{done.regions} regions of {done.images} images are in {folder}"
                ),
            )

        self.desk.run(start)
