"""The top of the Trust tab: how good the model is, in a few lines, and how to find out."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt

from napari_active_seg.gui.panels.base import Box, button, row, text_label
from napari_active_seg.jobs import JobKind
from napari_active_seg.session import Session

__all__ = ["FirstAnswerBox"]

_ESTIMATE = "Estimate from my labels"
_TIP = (
    "Train models without a part of the images each, and test them on these. It takes about as "
    "long as five trainings, runs in the background and can be stopped"
)


class FirstAnswerBox(Box):
    """Draws the summary of ``session.trust``, and offers what would tell more."""

    title_text = "In short"

    def build(self) -> None:
        """Lay out the lines and the buttons."""
        self.lines = text_label()
        self.lines.setTextFormat(Qt.TextFormat.RichText)
        self.lines.setToolTip(
            "Dice: the mean over classes and images. 95 % CI: bootstrap over images"
        )
        self.estimate = button(
            _ESTIMATE,
            self.context.with_session(lambda session: session.trust.cross_validate(wait=False)),
        )
        self.score = button(
            "Score on validation images",
            self.context.with_session(lambda session: session.trust.score_validation(wait=False)),
            "Score the model in use on the labelled validation images; nothing is trained",
        )
        self.body.addWidget(self.lines)
        self.body.addWidget(row(self.estimate, self.score))

    def show_known(self, session: Session) -> None:
        """Draw the lines, and what can be done."""
        self.lines.setText(
            "".join(
                f"<p style='margin:0 0 4px 0'><b>{escape(line.question)}</b> "
                f"{escape(line.answer)}</p>"
                for line in session.trust.summary()
            )
        )
        state, reason = session.state, session.trust.why_not_cross_validate()
        if state.read_only:
            reason = "the project is open read-only"
        elif JobKind.CROSS_VALIDATE in state.jobs:
            reason = "the estimate is being made"
        self.estimate.setEnabled(not reason)
        self.estimate.setToolTip(f"Not possible: {reason}" if reason else _TIP)
        self.score.setVisible(session.trust.validation_is_unscored and not state.read_only)
        self.score.setEnabled(JobKind.SCORE_VALIDATION not in state.jobs)
