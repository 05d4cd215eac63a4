"""Train: one button, the loss, and the models so far."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_active_seg.figures import draw_losses, figure_png
from napari_active_seg.gui.panels.base import Panel, Picture, button, form, group, words
from napari_active_seg.session import Session, ViewState

__all__ = ["TrainPanel"]


_WEIGHTS = ("pretrained", "random")


class TrainPanel(Panel):
    """The fourth tab."""

    title = "Train"

    def build(self) -> None:
        """Lay out the button, the loss curve and the history."""
        self.preset = ComboBox(label="network", choices=list(self.desk.tools.preset_names))
        self.weights = ComboBox(
            label="starts from", choices=[(f"{name} weights", name) for name in _WEIGHTS]
        )
        self.form = form(self.preset, self.weights)
        self.preset.changed.connect(self._preset)
        self.go = button("Train on finished regions", self._train)
        self.hint = words()
        self.loss = Picture()
        self.models = QTableWidget(0, 4)
        self.models.setHorizontalHeaderLabels(["model", "round", "mean Dice", "ECE"])
        self.models.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.models.verticalHeader().hide()
        self.models.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.models.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.models.setMinimumHeight(130)
        self.use = button("Use the selected model", self._use, "The model with a star is in use")
        self.body.addWidget(group("Train", self.form, self.go, self.hint, self.loss))
        self.body.addWidget(group("Models", self.models, self.use))
        self._drawn: object = None

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what there is to train on, and how the models did."""
        super().render_state(session, view)
        state = session.state
        self.go.setEnabled(view.can_train)
        done = len(state.done_in_pool)
        hint = f"{done} finished regions to learn from"
        if not done:
            hint = "Nothing to train on yet: finish a region first"
        elif session.last_training is not None:
            hint += f"; the last model started from {session.last_training.segmenter.origin}"
        self.hint.setText(hint)
        self._preset(self.preset.value)
        self.models.setRowCount(len(state.models))
        for row, record in enumerate(state.models):
            cells = (
                record.id + (" *" if record.in_use else ""),
                str(record.round),
                _digits(record.metrics.get("mean_dice")),
                _digits(record.metrics.get("ece")),
            )
            for column, text in enumerate(cells):
                self.models.setItem(row, column, QTableWidgetItem(text))
        self.use.setEnabled(bool(state.models) and not view.can_cancel)
        training = session.last_training
        if training is not None and training is not self._drawn:
            self._drawn = training
            self.loss.show_png(figure_png(draw_losses(training.losses), dpi=100))

    def _train(self) -> None:
        session = self.desk.session
        if session is not None:
            preset, weights = self.preset.value, self.weights.value
            self.desk.run(lambda: session.train(preset=preset, weights=weights))

    def _preset(self, name: str) -> None:
        """Ask for weights only where the network has an encoder that was trained elsewhere."""
        self.weights.enabled = name not in ("fast", "unet")

    def _use(self) -> None:
        session, row = self.desk.session, self.models.currentRow()
        if session is not None and row >= 0:
            model_id = session.state.models[row].id
            self.desk.run(lambda: session.use_model(model_id))


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
