"""Trust: how right the model is on the fixed validation, and whether it knows."""

from __future__ import annotations

from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_active_seg.figures import draw_reliability, figure_png
from napari_active_seg.gui.panels.base import Panel, Picture, group, words
from napari_active_seg.session import Session, ViewState

__all__ = ["TrustPanel"]

_TITLES = {
    "mean_dice": "mean Dice (F1)",
    "mean_jaccard": "mean Jaccard",
    "accuracy": "accuracy",
    "nll": "NLL (nats)",
    "brier": "Brier (0 to 2)",
    "ece": "ECE (0 to 1)",
}


class TrustPanel(Panel):
    """The fifth tab."""

    title = "Trust"

    def build(self) -> None:
        """Lay out the scores and the diagram."""
        self.about = words()
        self.scores = QTableWidget(0, 2)
        self.scores.horizontalHeader().hide()
        self.scores.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.scores.verticalHeader().hide()
        self.scores.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.scores.setMinimumHeight(190)
        self.diagram = Picture()
        self.no_diagram = words("Drawn after a training in this session")
        self.body.addWidget(group("On the fixed validation", self.about, self.scores))
        self.body.addWidget(group("Reliability", self.no_diagram, self.diagram))
        self._drawn: object = None

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the model in use."""
        super().render_state(session, view)
        model = session.state.model
        metrics = {} if model is None else dict(model.metrics)
        if model is None:
            self.about.setText("No model yet")
        elif not metrics:
            self.about.setText(
                "No validation image is labelled, so nothing can be said about this model"
            )
        else:
            self.about.setText(f"Model {model.id}, pooled over the labelled validation pixels")
        named = {title: metrics[key] for key, title in _TITLES.items() if key in metrics}
        named |= {
            f"Dice of {key[5:]}": value for key, value in metrics.items() if key[:5] == "dice/"
        }
        self.scores.setRowCount(len(named))
        for row, (title, value) in enumerate(named.items()):
            self.scores.setItem(row, 0, QTableWidgetItem(title))
            self.scores.setItem(row, 1, QTableWidgetItem(f"{value:.3f}"))
        self._draw(session)

    def _draw(self, session: Session) -> None:
        training, model = session.last_training, session.state.model
        fits = training is not None and model is not None and training.model.id == model.id
        report = training.report if training is not None and fits else None
        self.no_diagram.setVisible(report is None)
        if report is not self._drawn:
            self._drawn = report
            png = b"" if report is None else figure_png(draw_reliability(report.bins), dpi=100)
            self.diagram.show_png(png)
