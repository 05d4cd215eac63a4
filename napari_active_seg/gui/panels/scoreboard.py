"""From which labels scores are known, how far each can be trusted, and whether to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_active_seg.gui.panels.base import Box, button, sentence, text_label
from napari_active_seg.gui.panels.plot import Plot
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.trust.learning_curve import LearningCurve
from napari_active_seg.session.trust.scoreboard import ScoreRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EvidenceBox", "StoppingBox"]

_SHOWN = {"accuracy": "accuracy", "mean_dice": "Dice", "ece": "ECE"}


class EvidenceBox(Box):
    """The scoreboard: control squares, test images, drawn regions, and plain words."""

    title_text = "From which labels"

    def build(self) -> None:
        """Lay out the scoreboard and what can be done."""
        self.board = text_label()
        self.leaks = text_label()
        self.test = button(
            "Measure on test images",
            self.context.with_session(lambda session: session.trust.score_test(wait=False)),
            "The last word: nothing is chosen by them",
        )
        self.look = button(
            "Look for near copies",
            self.context.with_session(lambda session: session.trust.find_leaks(wait=False)),
            "Images, flips and near copies that are learned from and measured on",
        )
        for widget in (self.board, self.leaks, self.test, self.look):
            self.body.addWidget(widget)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Enable what can be done."""
        allow(self.test, view.why_not.write or view.why_not.use_model)
        allow(self.look, view.why_not.write)

    def show_known(self, session: Session) -> None:
        """Show what is known, and what cannot be."""
        self.board.setText(_in_words(session.trust.scoreboard()) or "No model was measured yet")
        self.leaks.setText(sentence(session.trust.leaks()))
        self.leaks.setVisible(bool(self.leaks.text()))


def _in_words(rows: Sequence[ScoreRow]) -> str:
    """Return the scoreboard: what is true of several models is said once."""
    kinds: dict[tuple[str, str], list[ScoreRow]] = {}
    for known in rows:
        kinds.setdefault((known.source, known.summary), []).append(known)
    parts = []
    for (source, said), of_kind in kinds.items():
        lines = [f"<b>{sentence(source)}</b>", f"<i>{sentence(said)}</i>"]
        for known in of_kind:
            figures = ", ".join(
                f"{title} {known.intervals[name].summary}"
                for name, title in _SHOWN.items()
                if name in known.intervals
            )
            if figures:
                lines.append(f"{known.model_id}: {figures}")
        parts.append("<br>".join(lines))
    return "<br><br>".join(parts)


class StoppingBox(Box):
    """Whether more labels are worth it."""

    title_text = "Label on?"

    def build(self) -> None:
        """Lay out the advice and the curve."""
        self.advice = text_label()
        self.curve = Plot(self.context.tell)
        self.compare = button(
            "Compare models on the pool",
            self.context.with_session(lambda session: session.trust.compare_models(wait=False)),
            "Models that have stopped to change need no more labels",
        )
        for widget in (self.advice, self.curve, self.compare):
            self.body.addWidget(widget)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Enable the comparison where there are two models."""
        too_few = "" if len(session.state.models) > 1 else "Two models are needed: train once more"
        allow(self.compare, view.why_not.write or view.why_not.use_model or too_few)

    def show_known(self, session: Session) -> None:
        """Show the advice."""
        found = session.trust.learning_curve()
        verdict = found.advice.verdict.capitalize()
        self.advice.setText(f"<b>{verdict}</b>: {found.advice.summary}")
        if len(found.points) > 1:
            self.curve.draw(lambda: _curve_figure(found))
        else:
            self.curve.clear()

    def release(self) -> None:
        """Forget a curve that is still being drawn."""
        self.curve.release()


def _curve_figure(found: LearningCurve) -> Figure:
    from napari_active_seg.figures import draw_learning_curve  # in the drawing thread

    scores = [point.score for point in found.points]
    return draw_learning_curve(found.x, scores, unit=found.unit, fit=found.fit, step=found.step)
