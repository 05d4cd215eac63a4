"""Propose: how to choose, and the queue that came of it."""

from __future__ import annotations

from dataclasses import replace

from magicgui.widgets import ComboBox, FloatSlider, FloatSpinBox, SpinBox
from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import QCheckBox, QPushButton

from napari_active_seg.acquisition import (
    BUDGET_UNITS,
    LEARNED,
    STRATEGIES,
    Budget,
    Strategy,
    StrategyAdvice,
    StrategyParts,
)
from napari_active_seg.gui.panels.base import Panel, button, form, group, row, text_label
from napari_active_seg.gui.panels.image_classes import AskBox
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.dialogs import ask_file, ask_new_file
from napari_active_seg.jobs import JobKind
from napari_active_seg.models.inference_options import UNCERTAINTY_SOURCES
from napari_active_seg.project import SETTINGS
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.proposals.strategy_file import read_strategy, write_strategy
from napari_active_seg.uncertainty import measure_titles

__all__ = ["ProposePanel"]


class ProposePanel(Panel):
    """The second tab."""

    title = "Propose"

    def build(self) -> None:
        """Lay out the form and the queue."""
        self._session: Session | None = None
        self._planned: object = None
        self._opens_annotate_after: int | None = None  # this round
        self._loaded: dict[str, Strategy] = {}
        self.strategy = ComboBox(label="strategy", choices=list(STRATEGIES))
        self.measure = ComboBox(
            label="uncertainty",
            choices=[(title, name) for name, title in measure_titles().items()],
        )
        self.uncertainty_from = ComboBox(
            label="uncertainty from",
            choices=[(title, name) for name, title in UNCERTAINTY_SOURCES.items()],
        )
        self.amount = SpinBox(label="budget", min=1, max=10_000_000, value=8)
        self.unit = ComboBox(label="counted in", choices=list(BUDGET_UNITS))
        self.size = SpinBox(label="size (pixels)", min=16, max=2048, step=16, value=128)
        self.form = form(
            self.strategy, self.measure, self.uncertainty_from, self.amount, self.unit, self.size
        )
        self._build_weights()
        self.uncertainty_from.changed.connect(self._set_uncertainty_from)
        self.measure.changed.connect(self._measure)
        self.strategy.changed.connect(self._strategy)
        for field in (self.amount, self.unit, self.size):
            field.changed.connect(lambda _value: self._remember())
        self.go = button("Propose regions", self._propose)
        self.which = button(
            "Which strategy suits?",
            self._guide,
            "Measure how alike the pool is, and say what suits it and the labels so far",
        )
        self.said = text_label()
        self.predict = button(
            "Predict all images",
            self.context.with_session(lambda session: session.predict(wait=False)),
            "Lay the model's prediction and its uncertainty over every image",
        )
        self.hint = text_label()
        self.label = button("Start labelling", lambda: self.context.show_tab("Annotate"))
        self.files = row(
            button("Load...", self._load, "Take a strategy from a YAML file"),
            button("Save...", self._save, "Write the strategy above to a YAML file"),
        )
        self.again = QCheckBox("Update proposals automatically")
        self.again.setToolTip(
            "Another measure, cost or weight ranks again what was predicted already: regions that "
            "nobody has touched are chosen again at once"
        )
        self.again.setChecked(True)
        self._anew_soon = QTimer(self)
        self._anew_soon.setSingleShot(True)
        self._anew_soon.setInterval(250)
        self._anew_soon.timeout.connect(self._reselect)
        self.body.addWidget(
            group(
                "Where to look next",
                *(self.form, self.go, self.hint, self.label, self.which, self.said),
            )
        )
        self.tissue = QPushButton("Correct the tissue")
        self.tissue.setCheckable(True)
        self.tissue.setToolTip("Paint where regions may be proposed; press again to keep it")
        self.tissue.toggled.connect(self.region_actions.edit_tissue)
        self.computed = button("Back to the computed tissue", self.region_actions.forget_tissue)
        self.body.addWidget(
            group("A person's time", self.weights, self.again, self.pace, self.plan)
        )
        self.ask = AskBox(self.context)
        self.body.addWidget(self.ask)
        self.body.addWidget(group("Strategy as a file", self.files))
        self.body.addWidget(group("Whole pool", self.predict))
        self.body.addWidget(group("Tissue of this image", self.tissue, self.computed))
        self.region_actions.on_propose = self._propose
        self.region_actions.on_tissue = self._show_editing

    def _build_weights(self) -> None:
        """Lay out what weighs information against a person's time, and the drawn share."""
        self.cost = ComboBox(label="cost by", choices=list(SETTINGS["cost"][1].choices))
        self.cost.tooltip = "\n".join(f"{name}: {said}" for name, said in LEARNED.items())
        self.alpha = FloatSlider(label="information", min=0, max=3, step=0.05, value=1)
        self.beta = FloatSlider(label="cost", min=0, max=3, step=0.05, value=0)
        self.alpha.tooltip = "Exponent of the information in I^alpha / C^beta"
        self.beta.tooltip = "Exponent of the cost in I^alpha / C^beta; 0 leaves it out"
        self.control = FloatSpinBox(
            label="control share", min=0, max=_most("control"), step=0.05, value=0.1
        )
        self.control.tooltip = (
            "Squares drawn at random, on which each model is measured before it learns them"
        )
        self.per_image_share = FloatSpinBox(
            label="At most from one image",
            min=0,
            max=_most("per_image_share"),
            step=0.05,
            value=0.25,
        )
        self.per_image_share.tooltip = (
            "Largest share of a round that comes from one image; 0 sets no limit. One region of an "
            "image is always allowed, and more where the pool has too few images"
        )
        self.weights = form(self.cost, self.alpha, self.beta, self.control, self.per_image_share)
        self.pace, self.plan = text_label(), text_label()
        self._kept = ("cost", "alpha", "beta", "control", "per_image_share")
        for name in self._kept:
            getattr(self, name).changed.connect(lambda value, key=name: self._keep(key, value))

    def _show_weights(self, session: Session) -> None:
        """Show what the project says, or else the strategy."""
        config, named = session.project.config, self._named(self.strategy.value)
        own = self.strategy.value in self._loaded
        for name in self._kept:
            widget, says = getattr(self, name), None if own else config.get(name)
            with widget.changed.blocked():
                widget.value = getattr(named, name) if says is None else says
            widget.enabled = not session.state.read_only
        pace, plan = session.state.pace, session.proposals.plan().summary
        self.pace.setText(pace[:1].upper() + pace[1:])
        self.pace.setVisible(bool(pace))
        self.plan.setText(plan[:1].upper() + plan[1:])

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the queue and what can be done."""
        super().render_state(session, view)
        if self._session is not session:
            self._session = session
            self._recall(session)
        state = session.state
        no_image = "" if state.image_id is not None else "No image is shown"
        for made in (self.tissue, self.computed):
            allow(made, view.why_not.write or no_image)
        self._show_editing()
        allow(self.go, view.why_not.propose)
        allow(self.predict, view.why_not.predict)
        allow(self.which, view.why_not.predict)
        now = (state.queue, state.pace, session.project.config)
        if now != self._planned:  # reads the event log: only when something changed
            self._planned = now
            self._show_weights(session)
            self._said(session)
        with self.measure.changed.blocked():
            self.measure.value = state.measure
        with self.uncertainty_from.changed.blocked():
            self.uncertainty_from.value = session.project.config.inference.uncertainty_from
        self.uncertainty_from.enabled = not state.read_only and state.job is None
        self.ask.render_state(session, view)
        waits = bool(state.open_regions or state.open_questions)
        allow(self.label, "" if waits else "Nothing waits to be labelled: propose regions first")
        self._open_annotate(session)
        waiting = state.open_regions
        seconds = sum(queued.cost for queued in waiting)
        self.hint.setText(
            f"{len(waiting)} waiting, about {max(1, round(seconds / 60))} min in all"
            if waiting
            else "Nothing waits. Propose regions"
        )

    def render_closed(self) -> None:
        """Forget what belongs to the project that was open."""
        super().render_closed()
        self._session = self._planned = None
        for part in (self.said, self.pace, self.plan, self.hint):
            part.setText("")

    def _recall(self, session: Session) -> None:
        """Show by which strategy, how much and of which size this project proposes."""
        config, kept = session.project.config, session.navigation.bookmark.latest
        by_unit = kept.amount > 0 and kept.unit in self.unit.choices
        values = (
            (self.strategy, config.acquisition.strategy),
            (self.unit, kept.unit if by_unit else BUDGET_UNITS[0]),
            (self.amount, kept.amount if by_unit else config.regions_per_round),
            (self.size, config.region_size),
        )
        for field, value in values:
            with field.changed.blocked():
                if isinstance(field, SpinBox):
                    value = min(max(int(value), int(field.min)), int(field.max))
                field.value = value

    def _remember(self) -> None:
        """Keep by which strategy, how much and of which size this project proposes."""
        session = self._session
        if session is None or session.state.read_only:
            return
        amount, unit, size = int(self.amount.value), str(self.unit.value), int(self.size.value)
        session.navigation.bookmark.keep(amount=amount, unit=unit)
        new: dict[str, object] = {"region_size": size}
        if unit == BUDGET_UNITS[0]:
            new["regions_per_round"] = amount
        if self.strategy.value in STRATEGIES:
            new["strategy"] = str(self.strategy.value)
        config = session.project.config
        if any(config.get(key) != value for key, value in new.items()):
            self.context.run(lambda: session.maintenance.configure(**new))

    def _show_editing(self) -> None:
        """Show whether the tissue mask is being edited."""
        with QSignalBlocker(self.tissue):
            self.tissue.setChecked(self.region_actions.edits_tissue)

    def _open_annotate(self, session: Session) -> None:
        """Go to the tab Annotate once the first regions of a proposal are there.

        This tab is drawn only while it is on show: a person who has left it is left where they are,
        and so is one who paints.
        """
        state, after = session.state, self._opens_annotate_after
        if after is None:
            return
        if state.round > after:
            self._opens_annotate_after = None
            region = state.region
            paints = region is not None and region.state is RegionState.IN_PROGRESS
            if not paints and not state.unsaved:
                QTimer.singleShot(0, lambda: self.context.show_tab("Annotate"))
        elif JobKind.PROPOSE not in state.jobs:
            self._opens_annotate_after = None  # it failed, or was stopped

    def _strategy(self, name: str) -> None:
        """Show the size and the measure that a strategy brings along."""
        named = self._named(name)
        if named.size:
            self.size.value = named.size
        if named.measure:
            self.measure.value = named.measure
        if self._session is not None:
            self._remember()
            self._show_weights(self._session)
            self._anew_soon.start()

    def _named(self, name: str) -> Strategy:
        """Return the strategy of a name: one that is known, or that was loaded."""
        return self._loaded.get(name) or STRATEGIES[name]

    def _keep(self, key: str, value: object) -> None:
        session, own = self.context.session, self._loaded.get(self.strategy.value)
        if own is not None:
            self._loaded[own.name] = own.with_changes(own.size, own.measure, **{key: value})
        elif session is not None:
            self.context.run(lambda: session.maintenance.configure(**{key: value}))
        self._anew_soon.start()

    def _reselect(self) -> None:
        """Let what the form says choose in place of what nobody has touched."""
        session = self.context.session
        if session is None or not self.again.isChecked() or session.state.read_only:
            return
        state = session.state
        if state.model is None or {JobKind.PROPOSE, JobKind.RESELECT} & set(state.jobs):
            return
        if session.proposals.untouched():
            self.context.run(
                lambda: session.proposals.reselect(self._asked(), wait=False, **self._parts())
            )

    def _asked(self) -> str | Strategy:
        return self._loaded.get(self.strategy.value) or str(self.strategy.value)

    def _parts(self) -> StrategyParts:
        return StrategyParts(size=self.size.value, measure=self.measure.value)

    def _save(self) -> None:
        session = self.context.session
        path = None
        if session is not None:
            path = ask_new_file(self, "Save the strategy", "Strategy (*.yaml)", ".yaml")
        if session is not None and path is not None:
            asked = session.proposals.strategy(self._asked(), **self._parts())
            self.context.run(lambda: write_strategy(path, replace(asked, name=path.stem)))

    def _load(self) -> None:
        path = ask_file(self, "Load a strategy", "Strategy (*.yaml *.yml)")
        if path is not None:
            self.context.run(lambda: self._take_strategy(read_strategy(path)))

    def _take_strategy(self, strategy: Strategy) -> None:
        """Offer a strategy of the person's own, and choose it."""
        name = strategy.name if strategy.name not in STRATEGIES else f"my {strategy.name}"
        self._loaded[name] = replace(strategy, name=name)
        self.strategy.choices = [*STRATEGIES, *self._loaded]
        self.strategy.value = name

    def _guide(self) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(
                lambda: self.context.when_done(
                    session.proposals.recommend(wait=False), self._advise
                )
            )

    def _advise(self, advice: StrategyAdvice) -> None:
        """Say what the guide found, and choose it; the person may choose otherwise."""
        self.said.setText(advice.summary)
        self.said.setVisible(True)
        self.strategy.value = advice.strategy

    def _said(self, session: Session) -> None:
        """Show what the latest proposal expects to be spent."""
        notes = [note for note in session.proposals.notes if note != self.plan.text()]
        text = ". ".join(note[:1].upper() + note[1:].rstrip(".") for note in notes[:-1])
        self.said.setText(text)
        self.said.setVisible(bool(text))

    def _measure(self, name: str) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(lambda: session.set_measure(name))
            self._anew_soon.start()

    def _set_uncertainty_from(self, name: str) -> None:
        session = self.context.session
        if session is not None:
            self.context.run(lambda: session.maintenance.configure(uncertainty_from=name))

    def _propose(self) -> None:
        session = self.context.session
        self._anew_soon.stop()  # what is proposed now heeds every change already
        if session is not None:
            self._opens_annotate_after = session.state.round
            self.context.run(
                lambda: session.proposals.propose(
                    budget=Budget(self.amount.value, self.unit.value),
                    strategy=self._asked(),
                    wait=False,
                    **self._parts(),
                )
            )


def _most(name: str) -> float:
    """Return the largest value of a setting."""
    most = SETTINGS[name][1].at_most
    return 1.0 if most is None else most
