"""Train: one button, how to learn, the loss, and the models so far."""

from __future__ import annotations

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_active_seg.figures import draw_losses, figure_png
from napari_active_seg.gui.notifications import tell_info
from napari_active_seg.gui.panels.base import Panel, Picture, button, form, group, words
from napari_active_seg.gui.panels.live_curve import LiveCurve
from napari_active_seg.jobs import Progress
from napari_active_seg.session import Session, TrainResponse, ViewState
from napari_active_seg.training_plan import AUGMENTATIONS, UNLABELLED_USES

__all__ = ["TrainPanel"]


_STARTS = [("from the model in use", "warm"), ("from before the project", "fresh")]
_WEIGHTS = [("pretrained weights", "pretrained"), ("random weights", "random")]
_PICTURES = dict(zip(AUGMENTATIONS, ("unchanged", "only flipped"), strict=False))
_LENGTHS = (1, 3, 10, 30, 100)
_UNLABELLED = {"off": "not used", "consistency": "consistency", "s4gan": "adversarial (s4GAN)"}


class TrainPanel(Panel):
    """The fourth tab."""

    title = "Train"

    def build(self) -> None:
        """Lay out the button, how to learn, the loss curve and the history."""
        self.preset = ComboBox(label="network", choices=list(self.desk.tools.preset_names))
        self.preset.value = "fast"
        self.longer = ComboBox(label="how long", choices=_lengths())
        self.longer.tooltip = "More steps learn more from the same labels, while you go on"
        self.start = ComboBox(label="goes on", choices=_STARTS)
        self.weights = ComboBox(label="starts from", choices=_WEIGHTS)
        self.augmentation = ComboBox(
            label="pictures", choices=[(_PICTURES.get(n, n), n) for n in AUGMENTATIONS]
        )
        self.unlabelled = ComboBox(
            label="unlabelled", choices=[(_UNLABELLED[n], n) for n in UNLABELLED_USES]
        )
        self.augmentation.tooltip = "How pictures are changed while the network learns"
        self.unlabelled.tooltip = "Whether the network also learns from images without labels"
        self.preset.changed.connect(self._preset)
        self._kept = ("start", "augmentation", "unlabelled", "longer")
        for name in self._kept:
            getattr(self, name).changed.connect(lambda value, key=name: self._keep(key, value))
        self.go = button("Train on finished regions", self._train)
        self.hint = words()
        self.advice = words()
        self.loss = Picture()
        self.live = LiveCurve()
        self.live.hide()
        self.after = SpinBox(label="by itself after", min=0, max=1000, value=0)
        self.after.tooltip = "Train after so many newly finished regions; 0 waits for the button"
        self.after.changed.connect(lambda value: self._keep("train_after", value))
        self.form = form(
            self.preset,
            self.longer,
            self.start,
            self.weights,
            self.augmentation,
            self.unlabelled,
            self.after,
        )
        self.models = QTableWidget(0, 4)
        self.models.setHorizontalHeaderLabels(["model", "round", "mean Dice", "ECE"])
        self.models.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.models.verticalHeader().hide()
        self.models.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.models.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.models.setMinimumHeight(130)
        self.verdict = words()
        self.use = button("Use the selected model", self._use, "The model with a star is in use")
        self.estimate = button("How good is it? Estimate from my labels", self._estimate)
        self.estimate.setToolTip("Test it on images that it has not seen, and show the Trust tab")
        self.estimate.hide()
        parts = (
            self.form, self.advice, self.go, self.live, self.verdict, self.estimate, self.hint,
            self.loss,
        )  # fmt: skip
        self.body.addWidget(group("Train", *parts))
        self.free = button("Free memory", self.desk.with_session(Session.free_memory))
        self.free.setToolTip("Let go of the model and its maps; they come back when needed")
        self.body.addWidget(group("Models", self.models, self.use, self.free))
        self._drawn: object = None
        self._advised: object = None

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what there is to train on, and how the models did."""
        super().render_state(session, view)
        state, config = session.state, session.project.config
        self.go.setEnabled(view.can_train)
        if config.longer not in self.longer.choices:  # set by a command
            with self.longer.changed.blocked():
                self.longer.choices = _lengths(config.longer)
        for name in self._kept:
            widget = getattr(self, name)
            with widget.changed.blocked():
                widget.value = getattr(config, name)
            widget.enabled = not state.read_only
        self.start.enabled = not state.read_only and state.model is not None
        with self.after.changed.blocked():
            self.after.value = config.train_after
        self.after.enabled = not state.read_only
        trains = state.job == "training"
        if trains and self.live.isHidden():
            self.live.begin()
        self.live.setVisible(trains)
        self.loss.setVisible(not trains)
        self._advise(session)
        done, training = len(state.done_in_pool), session.last_training
        hint = f"{done} finished regions to learn from"
        if not done:
            hint = "Nothing to train on yet: finish a region first"
        elif training is not None:
            hint += _about(training, advice=self.advice.text())
        self.hint.setText(hint)
        self.verdict.setVisible(training is not None and bool(training.verdict))
        self.verdict.setText("" if training is None else training.verdict)
        offers = not state.read_only and not state.jobs
        self.estimate.setVisible(offers and session.trust.should_offer_cross_validation)
        self._preset(self.preset.value)
        self._show_models(session)
        self.free.setEnabled(not state.jobs)
        self.use.setEnabled(bool(state.models) and not state.read_only)
        if training is not None and training is not self._drawn:
            self._drawn = training
            drawn = draw_losses(training.losses, training.outcome.held_out)
            self.loss.show_png(figure_png(drawn, dpi=100))
            if not training.model.in_use:
                tell_info(training.verdict)

    def _advise(self, session: Session) -> None:
        """Say whether unlabelled images may help now, where they are asked for."""
        wanted = session.project.config.unlabelled != "off"
        self.advice.setVisible(wanted)
        done = session.state.done_in_pool
        if wanted and done != self._advised:  # reads every label: only when there are more
            self._advised = done
            words = session.advice_on_unlabelled().words
            self.advice.setText(words[:1].upper() + words[1:])

    def _show_models(self, session: Session) -> None:
        models = session.state.models
        self.models.setRowCount(len(models))
        for row, record in enumerate(models):
            cells = (
                record.id + (" *" if record.in_use else ""),
                str(record.round),
                _digits(record.metrics.get("mean_dice")),
                _digits(record.metrics.get("ece")),
            )
            for column, text in enumerate(cells):
                self.models.setItem(row, column, QTableWidgetItem(text))

    def _train(self) -> None:
        session = self.desk.session
        if session is not None:
            preset, weights = self.preset.value, self.weights.value
            self.desk.run(lambda: session.train(preset=preset, weights=weights))

    def _estimate(self) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(session.trust.cross_validate)
            self.desk.show_tab("Trust")

    def render_progress(self, progress: Progress) -> None:
        """Draw the loss as it falls."""
        self.live.add(progress)

    def _keep(self, key: str, value: object) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(lambda: session.upkeep.configure(**{key: value}))
            self._advise(session)

    def _preset(self, name: str) -> None:
        """Ask for weights only where the network has an encoder that was trained elsewhere."""
        self.weights.enabled = name not in ("fast", "unet")

    def _use(self) -> None:
        session, row = self.desk.session, self.models.currentRow()
        if session is not None and row >= 0:
            model_id = session.state.models[row].id
            self.desk.run(lambda: session.use_model(model_id))


def _lengths(also: int = 1) -> list[tuple[str, int]]:
    """Return how many times as long as usual a training may take, in words."""
    numbers = sorted({*_LENGTHS, also})
    return [("as usual" if n == 1 else f"{n} times as long", n) for n in numbers]


def _about(training: TrainResponse, *, advice: str) -> str:
    """Return what to know of the last training that the ``advice`` does not say already."""
    text = f"; the last model started from {training.origin}"
    if training.outcome.resumed_at:
        text += f" and went on from step {training.outcome.resumed_at} of an earlier try"
    new = [note for note in training.notes if note.lower() != advice.lower()]
    return text + "".join(f". {note[:1].upper()}{note[1:]}" for note in new)


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
