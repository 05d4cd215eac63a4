"""Calibration: what it would do, one click to use it and one to take it back."""

from __future__ import annotations

from magicgui.widgets import ComboBox

from napari_active_seg.calibration import METHODS
from napari_active_seg.gui.panels.base import Box, button, form, row, sentence, text_label
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.jobs import JobKind
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.view_state import READ_ONLY

__all__ = ["CalibrationBox"]


class CalibrationBox(Box):
    """Fits on the fixed validation; figures are of images left out."""

    title_text = "Calibration"

    def build(self) -> None:
        """Lay out the methods and what they do."""
        self.now = text_label()
        self.tried = text_label()
        self.method = ComboBox(label="method", choices=list(METHODS), value="temperature")
        self.method.tooltip = "; ".join(f"{name}: {what}" for name, what in METHODS.items())
        self.fit = button(
            "Calibrate", self._fit, "Fit every method and judge it on images left out"
        )
        self.use = button("Use it", self._use, "Maps and proposals use it from now on")
        self.back = button(
            "Take back", self._take_back, "Use probabilities as the network gives them"
        )
        for widget in (self.now, form(self.method), row(self.fit, self.use, self.back), self.tried):
            self.body.addWidget(widget)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Enable what can be done."""
        why_not = view.why_not.write or view.why_not.use_model
        running = JobKind.CALIBRATE in session.state.jobs
        used = session.project.config.inference.calibration != "none"
        allow(self.fit, why_not or ("Calibration is under way" if running else ""))
        allow(self.back, why_not or ("" if used else "No calibration is in use"))

    def show_known(self, session: Session) -> None:
        """Say what is in use, and what each method does on images left out."""
        self.now.setText(sentence(session.trust.describe_calibration()))
        record = session.trust.calibration()
        why_not = READ_ONLY if session.state.read_only else ""
        allow(
            self.use, why_not or ("" if record is not None else "Nothing is fitted yet: calibrate")
        )
        if record is None:
            self.tried.setText("Not fitted for this model yet")
            return
        lines = [f"On images left out of the fitting ({record.n_images}):"]
        lines += [record.describe_change(method) for method in record.calibrations]
        if record.best is None:
            lines.append("None of them lowers the NLL: leave it")
        else:
            lines.append(f"Lowest NLL: {record.best}")
        self.tried.setText("\n".join(lines))
        wanted = session.project.config.inference.calibration
        chosen = wanted if wanted in record.calibrations else record.best
        if chosen is not None:
            self.method.value = chosen

    def _fit(self) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(lambda: session.trust.calibrate(wait=False))

    def _use(self) -> None:
        session, method = self.context.session, str(self.method.value)
        if session is not None:
            self.context.run(lambda: session.trust.use_calibration(method))

    def _take_back(self) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(session.trust.take_calibration_back)
