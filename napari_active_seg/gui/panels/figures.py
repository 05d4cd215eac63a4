"""Every figure that can be drawn of a project, one at a time."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox

from napari_active_seg.gui.panels.base import Box, Picture, button, text_label
from napari_active_seg.gui.panels.plot import DRAWING
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.background_task import BackgroundTask
from napari_active_seg.session import Session, ViewState

__all__ = ["FiguresBox"]

_TITLES = {
    "figure-3-accuracy": "scores over what is labelled",
    "cost-against-accuracy": "scores over minutes",
    "figure-5-calibration": "ECE and Brier over the models",
    "reliability-control-squares": "reliability on control squares",
    "sparsification": "does uncertainty find errors",
    "errors-by-uncertainty": "errors by tenths of uncertainty",
    "figure-4-uncertainty": "what was chosen, and the rest",
    "learning-curve": "learning curve and forecast",
    "learning-curve-pixels": "learning curve over pixels",
}


class FiguresBox(Box):
    """Draws in the background when asked, since some figures read many predictions."""

    title_text = "Figures"

    def build(self) -> None:
        """Lay out the button, the choice and the picture."""
        self.draw = button("Draw the figures", self._draw)
        self.draw.setToolTip(
            "History of the scores, ECE and Brier, errors by tenths of uncertainty, reliability of "
            "each model, what was chosen beside the rest, the learning curve"
        )
        self.which = QComboBox()
        self.which.currentIndexChanged.connect(self._show)
        self.picture, self.caption = Picture(), text_label()
        for widget in (self.draw, self.which, self.picture, self.caption):
            self.body.addWidget(widget)
        self._pages: list[tuple[str, str, bytes]] = []
        self._task = BackgroundTask(self._failed)
        self._of: object = None
        self._fill([])

    def render_state(self, session: Session, view: ViewState) -> None:
        """Forget figures of another project."""
        if self._of is not session:
            self._of = session
            self._task.forget()
            self._fill([])
        drawing = "The figures are being drawn" if self._task.is_running else ""
        allow(self.draw, view.why_not.use_model or drawing)

    def release(self) -> None:
        """Forget figures that are still being drawn."""
        self._task.forget()

    def _draw(self) -> None:
        session = self.context.session
        if session is None:
            return
        project = session.project

        def work(_tell: object) -> object:
            from napari_active_seg.figures import figure_png  # matplotlib loads in this thread
            from napari_active_seg.session.trust.figures import project_figures

            with DRAWING:
                return [
                    (named.name, named.caption, figure_png(named.figure, dpi=100))
                    for named in project_figures(project)
                ]

        allow(self.draw, "The figures are being drawn")
        self.draw.setText("Drawing...")
        self._task.run(work, self._drawn)

    def _drawn(self, pages: object) -> None:
        if isinstance(pages, list):
            self._fill(pages)
        if not self._pages:
            self.caption.setText("Nothing was measured yet; train with labelled validation images")
            self.caption.show()

    def _failed(self, error: Exception) -> None:
        self._fill([])
        self.context.tell(error)

    def _fill(self, pages: list[tuple[str, str, bytes]]) -> None:
        self._pages = pages
        with QSignalBlocker(self.which):
            self.which.clear()
            self.which.addItems([_title(name) for name, _, _ in pages])
        self.draw.setText("Draw the figures")
        session = self.context.session
        if session is not None and session.state.model is not None:
            allow(self.draw)
        for widget in (self.which, self.picture, self.caption):
            widget.setVisible(bool(pages))
        if pages:
            self._show(0)

    def _show(self, index: int) -> None:
        if 0 <= index < len(self._pages):
            _, caption, png = self._pages[index]
            self.picture.show_png(png)
            self.caption.setText(caption)


def _title(name: str) -> str:
    return _TITLES.get(name, name.removeprefix("figure-E1-").replace("-", " "))
