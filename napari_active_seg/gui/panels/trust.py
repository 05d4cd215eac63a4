"""Trust: how right the model is on the fixed validation, and whether it knows."""

from __future__ import annotations

from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_active_seg.figures import draw_reliability, figure_png
from napari_active_seg.gui.panels.base import Panel, group, picture, words
from napari_active_seg.session import Session, ViewState

__all__ = ["TrustPanel"]

_TITLES = {
    "mean_dice": "mean Dice (pixel F1)",
    "mean_jaccard": "mean Jaccard",
    "accuracy": "accuracy",
    "nll": "negative log-likelihood",
    "brier": "Brier score (0 to 2)",
    "ece": "expected calibration error",
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
        self.diagram = words()
        self.body.addWidget(group("On the fixed validation", self.about, self.scores))
        self.body.addWidget(group("Reliability", self.diagram))
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
        fits = (
            training is not None and model is not None and (training.request.model_id == model.id)
        )
        if training is None or not fits or training.report is None:
            self._drawn = None
            self.diagram.setText("Drawn after a training in this session")
        elif training is not self._drawn:
            self._drawn = training
            picture(self.diagram, figure_png(draw_reliability(training.report.bins), dpi=85), 320)
