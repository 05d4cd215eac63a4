"""Train: one button, how to learn, the loss, and the models so far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from napari_active_seg.errors import RemedyId
from napari_active_seg.gui.panels.base import Panel, button, form, group, row, text_label
from napari_active_seg.gui.panels.live_curve import LiveCurve
from napari_active_seg.gui.panels.plot import Plot
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.jobs import JobKind, Progress
from napari_active_seg.models.preset_names import AUTO, preset_names
from napari_active_seg.project import SETTINGS, ProjectConfig
from napari_active_seg.session import Session, TrainingResult, ViewState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TrainPanel"]


_INIT = {"current": "current model", "pretrained": "pretrained weights", "scratch": "scratch"}
_AUGMENTATION = {"flips": "flips only", "general": "full"}
#: Automatic training is offered after so many finished regions.
_OFFERED = 5
_LENGTHS = (1, 3, 10, 30, 100)
_SEMI_SUPERVISED = {"off": "not used", "consistency": "consistency", "s4gan": "adversarial (s4GAN)"}


class TrainPanel(Panel):
    """The fourth tab."""

    title = "Train"

    def build(self) -> None:
        """Lay out the button, how to learn, the loss curve and the history."""
        self.preset = ComboBox(label="network", choices=[AUTO, *preset_names()])
        self.training_length = ComboBox(label="training length", choices=_lengths())
        self.init = ComboBox(label="start from", choices=_choices("init", _INIT))
        self.augmentation = ComboBox(
            label="augmentation", choices=_choices("augmentation", _AUGMENTATION)
        )
        self.semi_supervised = ComboBox(
            label="unlabelled images", choices=_choices("semi_supervised", _SEMI_SUPERVISED)
        )
        self._kept = ("preset", "init", "augmentation", "semi_supervised", "training_length")
        for name in self._kept:
            getattr(self, name).tooltip = SETTINGS[name][1].description
        for name in self._kept:
            getattr(self, name).changed.connect(lambda value, key=name: self._keep(key, value))
        self.go = button("Train on finished regions", self._train)
        self.offer = QWidget()
        self.offer_text = text_label(
            f"Retrain automatically after every {_OFFERED} finished regions? Overlays and queue "
            "then follow while you label."
        )
        self.accept = button("Retrain automatically", self._accept_offer)
        self.decline = button("No, thanks", self._decline_offer, "Do not offer this again")
        offered = QVBoxLayout(self.offer)
        offered.setContentsMargins(0, 0, 0, 0)
        offered.addWidget(self.offer_text)
        offered.addWidget(row(self.accept, self.decline))
        self.hint = text_label()
        self.advice = text_label()
        self.loss = Plot(self.context.tell)
        self.live = LiveCurve()
        self.live.hide()
        train_after = SETTINGS["train_after"][1]
        most = int(train_after.at_most or 0)
        self.after = SpinBox(label="by itself after", min=0, max=most, value=0)
        self.after.tooltip = train_after.description
        self.after.changed.connect(lambda value: self._keep("train_after", value))
        self.form = form(
            self.preset,
            self.training_length,
            self.init,
            self.augmentation,
            self.semi_supervised,
            self.after,
        )
        self.models = QTableWidget(0, 4)
        self.models.setHorizontalHeaderLabels(["model", "round", "mean Dice", "ECE"])
        self.models.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.models.verticalHeader().hide()
        self.models.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.models.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.models.setMinimumHeight(130)
        self.verdict = text_label()
        self.use_other = button("Use the other model", self._use_other)
        self.use_other.hide()
        self.use = button("Use the selected model", self._use, "The model with a star is in use")
        self.estimate = button("How good is it? Estimate from my labels", self._estimate)
        self.estimate.setToolTip("Test it on images that it has not seen, and show the Trust tab")
        self.estimate.hide()
        parts = (
            self.form,
            self.advice,
            self.go,
            self.offer,
            self.live,
            self.verdict,
            self.use_other,
            self.estimate,
            self.hint,
            self.loss,
        )
        self.body.addWidget(group("Train", *parts))
        self.free = button("Free memory", self.context.with_session(Session.free_memory))
        self.free.setToolTip("Let go of the model and its maps; they come back when needed")
        self.body.addWidget(group("Models", self.models, self.use, self.free))
        self.region_actions.on_train = self._train
        self.context.handle_remedy(RemedyId.COUNT_UNPAINTED, self._count_unpainted)
        self._other: str | None = None
        self._drawn: object = None
        self._advised: object = None

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what there is to train on, and how the models did."""
        super().render_state(session, view)
        state, config = session.state, session.project.config
        allow(self.go, view.why_not.train)
        self._offer(config)
        for name in self._kept:
            widget = getattr(self, name)
            with widget.changed.blocked():
                widget.value = config.get(name)
            widget.enabled = not state.read_only
        with self.after.changed.blocked():
            self.after.value = config.train_after
        self.after.enabled = not state.read_only
        self._show_offer(session)
        trains = state.job is JobKind.TRAIN
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
        self._show_verdict(session, training, read_only=view.why_not.write)
        offers = not state.read_only and not state.jobs
        self.estimate.setVisible(offers and session.trust.should_offer_cross_validation)
        self._show_models(session)
        allow(self.free, view.why_not.start_job)
        allow(self.use, view.why_not.use_model or view.why_not.write)
        if training is not None and training is not self._drawn:
            self._drawn = training
            self.loss.draw(lambda: _loss_figure(training))
            if not training.model.in_use:
                notify(training.verdict)

    def render_closed(self) -> None:
        """Forget the curves, models and advice of the project that was open."""
        super().render_closed()
        self.loss.clear()
        self.live.begin()
        self.live.hide()
        self.models.setRowCount(0)
        for part in (self.advice, self.verdict, self.hint):
            part.setText("")
        self.use_other.hide()
        self._drawn = self._advised = self._other = None

    def _show_offer(self, session: Session) -> None:
        """Offer to retrain automatically, once there is a model, until it is set or declined."""
        is_open = self.context.preferences.now.offers_retraining and not session.state.read_only
        is_unset = session.project.config.train_after == 0
        self.offer.setVisible(is_open and is_unset and session.state.model is not None)

    def _accept_offer(self) -> None:
        self.after.value = _OFFERED
        self.offer.hide()

    def _decline_offer(self) -> None:
        self.context.preferences.change(offers_retraining=False)
        self.offer.hide()

    def _show_verdict(
        self, session: Session, training: TrainingResult | None, *, read_only: str
    ) -> None:
        """Show how the last model compares, with a button that uses the other of the two."""
        model = session.state.model
        in_use = None if model is None else model.id
        text = "" if training is None else _verdict(training, in_use)
        self.verdict.setVisible(bool(text))
        self.verdict.setText(text)
        self._other = None if training is None else training.other_model(in_use)
        self.use_other.setVisible(self._other is not None)
        allow(self.use_other, read_only)
        if self._other is not None:
            self.use_other.setText(f"Use {self._other} instead")

    def _use_other(self) -> None:
        session, other = self.context.session, self._other
        if session is not None and other is not None:
            self.context.run(lambda: session.use_model(other))

    def _offer(self, config: ProjectConfig) -> None:
        """Add what the project says and the lists do not have: set by a command, or elsewhere."""
        length = config.training.training_length
        for widget, value, choices in (
            (self.preset, config.preset, [AUTO, *preset_names(), config.preset]),
            (self.training_length, length, _lengths(length)),
        ):
            if value not in widget.choices:
                with widget.changed.blocked():
                    widget.choices = choices
        file = config.training.weights_file
        pretrained = f"weights in {Path(file).name}" if file else _INIT["pretrained"]
        with self.init.changed.blocked():
            self.init.choices = _choices("init", _INIT | {"pretrained": pretrained})

    def _advise(self, session: Session) -> None:
        """Say whether unlabelled images may help now, where they are asked for."""
        wanted = session.project.config.training.semi_supervised != "off"
        self.advice.setVisible(wanted)
        done = session.state.done_in_pool
        if wanted and done != self._advised:  # reads every label: only when there are more
            self._advised = done
            text_label = session.advise_on_unlabelled().summary
            self.advice.setText(text_label[:1].upper() + text_label[1:])

    def _show_models(self, session: Session) -> None:
        models = session.state.models
        self.models.setRowCount(len(models))
        for index, record in enumerate(models):
            cells = (
                record.id + (" *" if record.in_use else ""),
                str(record.round),
                _digits(record.metrics.get("mean_dice")),
                _digits(record.metrics.get("ece")),
            )
            for column, text in enumerate(cells):
                self.models.setItem(index, column, QTableWidgetItem(text))

    def _train(self) -> None:
        self.context.with_session(self._train_as_chosen)()

    def _train_as_chosen(self, session: Session) -> None:
        session.train(preset=self.preset.value, init=self.init.value, wait=False)

    def _count_unpainted(self) -> None:
        """Count unpainted pixels of all finished regions as background, and train."""

        def count(session: Session) -> None:
            session.maintenance.configure(unpainted=session.labels.background)
            session.labels.apply_unpainted_rule(wait=False)
            self._train_as_chosen(session)

        self.context.with_session(count)()

    def _estimate(self) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(lambda: session.trust.cross_validate(wait=False))
            self.context.show_tab("Trust")

    def render_progress(self, progress: Progress) -> None:
        """Draw the loss as it falls."""
        self.live.add(progress)

    def let_go(self) -> None:
        """Forget a curve that is still being drawn."""
        self.loss.release()

    def _keep(self, key: str, value: object) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(lambda: session.maintenance.configure(**{key: value}))
            self._advise(session)

    def _use(self) -> None:
        session, row = self.context.session, self.models.currentRow()
        if session is not None and row >= 0:
            model_id = session.state.models[row].id
            self.context.run(lambda: session.use_model(model_id))


def _choices(name: str, titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the values of a setting with the words that the window has for them."""
    return [(titles.get(value, value), value) for value in SETTINGS[name][1].choices]


def _loss_figure(training: TrainingResult) -> Figure:
    from napari_active_seg.figures import draw_losses  # in the drawing thread, which may wait

    return draw_losses(training.losses, training.outcome.held_out)


def _lengths(also: int = 1) -> list[tuple[str, int]]:
    """Return how many times as long as usual a training may take, in words."""
    numbers = sorted({*_LENGTHS, also})
    return [("as usual" if n == 1 else f"{n} times as long", n) for n in numbers]


def _about(training: TrainingResult, *, advice: str) -> str:
    """Return what to know of the last training that the ``advice`` does not say already."""
    text = f"; the last model started from {training.origin}"
    if training.outcome.resumed_at:
        text += f" and went on from step {training.outcome.resumed_at} of an earlier try"
    shown = "" if training.collapse is None else training.collapse.describe()  # in the verdict
    new = [note for note in training.notes if note != shown and note.lower() != advice.lower()]
    return text + "".join(f". {note[:1].upper()}{note[1:]}" for note in new)


def _verdict(training: TrainingResult, in_use: str | None) -> str:
    """Return how the model compares, after a warning where it predicts one class everywhere."""
    warning = "" if training.collapse is None else training.collapse.describe()
    return "\n".join(filter(None, (warning, training.verdict_when_using(in_use))))


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
