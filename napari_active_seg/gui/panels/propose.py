"""Propose: how to choose, and the queue that came of it."""

from __future__ import annotations

from magicgui.widgets import ComboBox, FloatSlider, FloatSpinBox, SpinBox
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QListWidgetItem, QPushButton

from napari_active_seg.acquisition import (
    BUDGET_UNITS,
    COSTS,
    LEARNED,
    RANDOM_SHARES,
    STRATEGIES,
    Advice,
    Budget,
    RegionKind,
)
from napari_active_seg.gui.panels.base import Panel, button, form, group, words
from napari_active_seg.gui.panels.listing import Listing, Row
from napari_active_seg.sampling_plan import METHODS
from napari_active_seg.session import Session, SessionState, ViewState
from napari_active_seg.session.state import OPEN_STATES
from napari_active_seg.uncertainty import MEASURES

__all__ = ["ProposePanel"]

_SHOWN = {"waiting": ("open",), "finished": ("done",), "all": ("open", "done")}


class ProposePanel(Panel):
    """The second tab."""

    title = "Propose"

    def build(self) -> None:
        """Lay out the form and the queue."""
        self._session: Session | None = None
        self._planned: object = None
        self.strategy = ComboBox(label="strategy", choices=list(STRATEGIES))
        self.measure = ComboBox(
            label="uncertainty", choices=[(m.title, m.name) for m in MEASURES.values()]
        )
        self.sampling = ComboBox(
            label="opinions", choices=[(said, name) for name, said in METHODS.items()]
        )
        self.amount = SpinBox(label="budget", min=1, max=10_000_000, value=8)
        self.unit = ComboBox(label="counted in", choices=list(BUDGET_UNITS))
        self.size = SpinBox(label="size (pixels)", min=16, max=2048, step=16, value=128)
        self.form = form(
            self.strategy, self.measure, self.sampling, self.amount, self.unit, self.size
        )
        self._build_weights()
        self.sampling.changed.connect(self._sampling)
        self.measure.changed.connect(self._measure)
        self.strategy.changed.connect(self._strategy)
        self.go = button("Propose regions", self._propose)
        self.which = button(
            "Which strategy suits?",
            self._guide,
            "Measure how alike the pool is, and say what suits it and the labels so far",
        )
        self.said = words()
        self.predict = button(
            "Predict all images",
            self.desk.with_session(lambda session: session.predict()),
            "Lay the model's prediction and its uncertainty over every image",
        )
        self.queue = Listing()
        self.queue.setMinimumHeight(180)
        self.queue.setWordWrap(True)
        self.queue.itemActivated.connect(self._take)
        self.queue.itemClicked.connect(self._take)
        self.hint = words()
        self.body.addWidget(
            group(
                "Where to look next",
                *(self.form, self.go, self.predict, self.which, self.said),
            )
        )
        self.shown = QComboBox()
        self.shown.addItems(list(_SHOWN))
        self.shown.currentTextChanged.connect(lambda _text: self._render_again())
        self.tissue = QPushButton("Correct the tissue")
        self.tissue.setCheckable(True)
        self.tissue.setToolTip("Paint where regions may be proposed; press again to keep it")
        self.tissue.toggled.connect(self.in_hand.edit_tissue)
        self.computed = button("Back to the computed tissue", self.in_hand.forget_tissue)
        self.body.addWidget(group("Queue", self.hint, self.shown, self.queue))
        self.body.addWidget(group("A person's time", self.weights, self.pace, self.plan))
        self.body.addWidget(group("Tissue of this image", self.tissue, self.computed))

    def _build_weights(self) -> None:
        """Lay out what weighs information against a person's time, and the drawn share."""
        self.cost = ComboBox(label="cost by", choices=[*COSTS, *LEARNED])
        self.cost.tooltip = "\n".join(f"{name}: {said}" for name, said in LEARNED.items())
        self.alpha = FloatSlider(label="information", min=0, max=3, step=0.05, value=1)
        self.beta = FloatSlider(label="cost", min=0, max=3, step=0.05, value=0)
        self.alpha.tooltip = "Exponent of the information in I^alpha / C^beta"
        self.beta.tooltip = "Exponent of the cost in I^alpha / C^beta; 0 leaves it out"
        self.control = FloatSpinBox(label="control share", min=0, max=0.5, step=0.05, value=0.1)
        self.control.tooltip = (
            "Squares drawn at random, on which each model is measured before it learns them"
        )
        self.weights = form(self.cost, self.alpha, self.beta, self.control)
        self.pace, self.plan = words(), words()
        self._kept = ("cost", "alpha", "beta", "control")
        for name in self._kept:
            getattr(self, name).changed.connect(lambda value, key=name: self._keep(key, value))

    def _show_weights(self, session: Session) -> None:
        """Show what the project says, or else the strategy."""
        config, named = session.project.config, STRATEGIES[self.strategy.value]
        for name in self._kept:
            widget, says = getattr(self, name), getattr(config, name)
            with widget.changed.blocked():
                widget.value = getattr(named, name) if says is None else says
            widget.enabled = not session.state.read_only
        pace, plan = session.state.pace, session.proposals.plan().words
        self.pace.setText(pace[:1].upper() + pace[1:])
        self.pace.setVisible(bool(pace))
        self.plan.setText(plan[:1].upper() + plan[1:])

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the queue and what can be asked."""
        super().render_state(session, view)
        self._session = session
        state = session.state
        for made in (self.tissue, self.computed):
            made.setEnabled(not state.read_only and state.image_id is not None)
        with QSignalBlocker(self.tissue):
            self.tissue.setChecked(self.in_hand.edits_tissue)
        self.go.setEnabled(view.can_propose)
        self.predict.setEnabled(view.can_predict)
        self.which.setEnabled(view.can_predict)
        now = (state.queue, state.pace, session.project.config)
        if now != self._planned:  # reads the diary: only when something changed
            self._planned = now
            self._show_weights(session)
            self._said(session)
        with self.measure.changed.blocked():
            self.measure.value = state.measure
        with self.sampling.changed.blocked():
            self.sampling.value = session.project.config.sampling
        self.sampling.enabled = not state.read_only and state.job is None
        waiting = state.open_regions
        seconds = sum(queued.cost for queued in waiting)
        self.hint.setText(
            f"{len(waiting)} waiting, about {max(1, round(seconds / 60))} min in all"
            if waiting
            else "Nothing waits. Propose regions; click one to go there"
        )
        self._show_queue(state)

    def _render_again(self) -> None:
        if self._session is not None:
            self._show_queue(self._session.state)

    def _show_queue(self, state: SessionState) -> None:
        """List the regions that wait, are finished, or both."""
        wanted = _SHOWN[self.shown.currentText()]
        waiting = state.open_regions
        finished = [
            queued
            for queued in state.queue
            if queued.state not in OPEN_STATES and queued.kind is not RegionKind.WHOLE
        ]
        listed = [*(waiting if "open" in wanted else ()), *(finished if "done" in wanted else ())]
        rows = [
            Row(
                queued.id,
                f"{queued.region.image_id}  y {queued.region.y}, x {queued.region.x}"
                f"  {_kind(queued.kind)}{queued.state.replace('_', ' ')}\n{queued.reason}",
                tip=f"score {queued.information:.4f}, about {queued.cost:.0f} s",
            )
            for queued in listed
        ]
        self.queue.show_rows(rows, current=state.region_id)

    def _strategy(self, name: str) -> None:
        """Show the size and the measure that a strategy brings along."""
        named = STRATEGIES[name]
        if named.size:
            self.size.value = named.size
        if named.measure:
            self.measure.value = named.measure
        if self._session is not None:
            self._show_weights(self._session)

    def _keep(self, key: str, value: object) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(lambda: session.upkeep.configure(**{key: value}))

    def _guide(self) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(lambda: session.proposals.guide(on_advice=self._advise))

    def _advise(self, advice: Advice) -> None:
        """Say what the guide found, and choose it; the person may choose otherwise."""
        self.said.setText(advice.words)
        self.said.setVisible(True)
        self.strategy.value = advice.strategy

    def _said(self, session: Session) -> None:
        """Show what the latest proposal expects to be spent."""
        notes = [note for note in session.proposals.notes if note != self.plan.text()]
        text = ". ".join(note[:1].upper() + note[1:].rstrip(".") for note in notes[:-1])
        self.said.setText(text)
        self.said.setVisible(bool(text))

    def _measure(self, name: str) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(lambda: session.set_measure(name))

    def _sampling(self, name: str) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(lambda: session.upkeep.configure(sampling=name))

    def _propose(self) -> None:
        session = self.desk.session
        if session is not None:
            self.desk.run(
                lambda: session.propose(
                    budget=Budget(self.amount.value, self.unit.value),
                    size=self.size.value,
                    strategy=self.strategy.value,
                    measure=self.measure.value,
                )
            )

    def _take(self, item: QListWidgetItem) -> None:
        session = self.desk.session
        if session is not None:
            region_id = Listing.key_of(item)
            self.desk.run(lambda: session.select_region(region_id))


def _kind(kind: RegionKind) -> str:
    """Return what a row says of a region that was drawn for a fair sample."""
    return f"{kind}, " if kind in RANDOM_SHARES else ""
