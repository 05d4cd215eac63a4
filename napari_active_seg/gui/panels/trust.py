"""Trust: how right the model is, whether it knows, from which labels, and whether to go on."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_active_seg.calibration import ReliabilityBins
from napari_active_seg.gui.panels.base import Panel, group, text_label
from napari_active_seg.gui.panels.calibration import CalibrationBox
from napari_active_seg.gui.panels.figures import FiguresBox
from napari_active_seg.gui.panels.first_answer import FirstAnswerBox
from napari_active_seg.gui.panels.plot import Plot
from napari_active_seg.gui.panels.review import ReviewBox
from napari_active_seg.gui.panels.scoreboard import EvidenceBox, StoppingBox
from napari_active_seg.gui.shell.background_task import BackgroundTask
from napari_active_seg.metrics import EvalReport
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.prediction.collapse import Collapse
from napari_active_seg.session.state import Content
from napari_active_seg.uncertainty import get_measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TrustPanel"]

_TITLES = {
    "mean_dice": "mean Dice (F1)",
    "mean_jaccard": "mean Jaccard",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "object_f1": "object F1",
    "object_dice": "object Dice",
    "nll": "NLL (nats)",
    "brier": "Brier (0 to 2)",
    "ece": "ECE (0 to 1)",
}


class TrustPanel(Panel):
    """The fifth tab. What it shows is read from the event log when the tab is looked at."""

    title = "Trust"

    def build(self) -> None:
        """Lay out the scores, the diagram and what can be done."""
        self.first_answer = FirstAnswerBox(self.context)
        self.body.addWidget(self.first_answer)
        self.about = text_label()
        self.scores = QTableWidget(0, 3)
        self.scores.setHorizontalHeaderLabels(["", "score", "95 %"])
        header = self.scores.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.scores.verticalHeader().hide()
        self.scores.setToolTip("95 %: between these limits over resampled images")
        self.scores.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.scores.setMinimumHeight(190)
        self.diagram = Plot(self.context.tell)
        self.no_diagram = text_label(
            "Drawn once a model was measured on labelled validation images"
        )
        self.calibration = CalibrationBox(self.context)
        self.evidence = EvidenceBox(self.context)
        self.stopping = StoppingBox(self.context)
        self.review = ReviewBox(self.context)
        self.figures = FiguresBox(self.context)
        self._task = BackgroundTask(self.context.tell)
        self.warning = text_label()
        self.warning.hide()
        self.body.addWidget(self.warning)
        self.body.addWidget(group("On the fixed validation", self.about, self.scores))
        self.finds = text_label()
        self.finds.setToolTip("The more, the better uncertainty finds what is wrong")
        parts = (self.no_diagram, self.diagram, self.finds)
        self.body.addWidget(group("Reliability", *parts))
        self.boxes = (self.calibration, self.evidence, self.stopping, self.figures, self.review)
        for box in self.boxes:
            self.body.addWidget(box)
        self._shown: object = None
        self._session: Session | None = None

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the model in use."""
        super().render_state(session, view)
        self._session = session
        for box in self.boxes:
            box.render_state(session, view)
        if self.isVisible():
            self._refresh(session)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Read the event log now that the tab is visible."""
        super().showEvent(event)
        if self._session is not None and self._session is self.context.session:
            self._refresh(self._session)

    def render_content(self, session: Session, content: Content) -> None:
        """Show new findings."""
        if content is Content.FINDINGS:
            self._shown = None
            if self.isVisible():
                self._refresh(session)

    def render_closed(self) -> None:
        """Forget the scores and figures of the project that was open."""
        super().render_closed()
        self.scores.setRowCount(0)
        self.diagram.clear()
        self.stopping.curve.clear()
        for part in (self.about, self.finds, self.stopping.advice, self.evidence.board):
            part.setText("")
        self._session = self._shown = None
        self._task.forget()
        self._warn(None)

    def let_go(self) -> None:
        """Forget figures that are still being drawn."""
        self._task.forget()
        for part in (self.diagram, self.stopping, self.figures):
            part.release()

    def _refresh(self, session: Session) -> None:
        self.first_answer.show_known(session)
        state = session.state
        model = state.model
        now = (id(session), model, state.calibrated, len(state.done_in_pool))
        if now == self._shown:
            return
        self._shown = now
        self._task.run(lambda _: session.trust.collapse(), self._warn)
        report = None if model is None else session.trust.evaluation(model.id)
        self._show_scores(session, report)
        self._draw(session, report)
        for box in self.boxes:
            box.show_known(session)

    def _warn(self, collapse: object) -> None:
        """Show that the model in use predicts one class, which takes reading its predictions."""
        found = collapse.describe() if isinstance(collapse, Collapse) else ""
        self.warning.setText(f"<b>{escape(found)}</b>" if found else "")
        self.warning.setVisible(bool(found))

    def _show_scores(self, session: Session, report: EvalReport | None) -> None:
        model = session.state.model
        metrics = {} if model is None else dict(model.metrics)
        if report is not None and not metrics:  # validation images were labelled after training
            metrics = report.figures()
        if model is None:
            self.about.setText("No model yet")
        elif not metrics:
            self.about.setText(
                "No validation image is labelled. Your finished regions can give an estimate: see "
                "above"
            )
        else:
            self.about.setText(f"Model {model.id}, pooled over the labelled validation pixels")
        intervals = {} if report is None else report.intervals()
        named = {
            title: (metrics[key], intervals.get(key))
            for key, title in _TITLES.items()
            if key in metrics
        }
        named |= {
            f"Dice of {key[5:]}": (value, None)
            for key, value in metrics.items()
            if key[:5] == "dice/"
        }
        self.scores.setVisible(bool(named))
        self.scores.setRowCount(len(named))
        for row, (title, (value, interval)) in enumerate(named.items()):
            limits = interval.summary.partition(" ")[2].strip("()") if interval is not None else ""
            for column, text in enumerate((title, f"{value:.3f}", limits)):
                self.scores.setItem(row, column, QTableWidgetItem(text))

    def _draw(self, session: Session, report: EvalReport | None) -> None:
        there = report is not None and report.bins.counts.any()
        self.no_diagram.setVisible(not there)
        self.finds.setText("" if report is None else _found_errors(session, report))
        self.finds.setVisible(bool(self.finds.text()))
        if report is None or not there:
            self.diagram.clear()
            return
        record = session.trust.calibration()
        method = (
            None if record is None else record.shown(session.project.config.inference.calibration)
        )
        calibrated = None if record is None or method is None else record.bins.get(method)
        self.diagram.draw(lambda: _reliability_figure(report, calibrated))


def _reliability_figure(report: EvalReport, calibrated: ReliabilityBins | None) -> Figure:
    from napari_active_seg.figures import draw_reliability  # in the drawing thread

    return draw_reliability(report.bins, by_image=report.bins_by_image, calibrated=calibrated)


def _found_errors(session: Session, report: EvalReport) -> str:
    """Return whether uncertainty finds errors, in a sentence."""
    measure = session.state.measure
    name = measure if measure in report.errors else "entropy"
    found = report.errors[name].share_found() if name in report.errors else float("nan")
    if math.isnan(found):
        return ""
    title = get_measure(name).title
    return (
        f"Does uncertainty find errors? The least certain tenth of the pixels by {title} holds "
        f"{100 * found:.0f} % of them (by chance 10 %)"
    )
