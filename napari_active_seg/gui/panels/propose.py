"""Propose: how to choose, and the queue that came of it."""

from __future__ import annotations

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QListWidgetItem, QPushButton

from napari_active_seg.acquisition import STRATEGIES, RegionKind
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
        self.strategy = ComboBox(label="strategy", choices=list(STRATEGIES))
        self.measure = ComboBox(
            label="uncertainty", choices=[(m.title, m.name) for m in MEASURES.values()]
        )
        self.sampling = ComboBox(
            label="opinions", choices=[(said, name) for name, said in METHODS.items()]
        )
        self.count = SpinBox(label="regions", min=1, max=500, value=8)
        self.size = SpinBox(label="size (pixels)", min=16, max=2048, step=16, value=128)
        self.form = form(self.strategy, self.measure, self.sampling, self.count, self.size)
        self.sampling.changed.connect(self._sampling)
        self.measure.changed.connect(self._measure)
        self.strategy.changed.connect(self._strategy)
        self.go = button("Propose regions", self._propose)
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
        self.body.addWidget(group("Where to look next", self.form, self.go, self.predict))
        self.shown = QComboBox()
        self.shown.addItems(list(_SHOWN))
        self.shown.currentTextChanged.connect(lambda _text: self._render_again())
        self.tissue = QPushButton("Correct the tissue")
        self.tissue.setCheckable(True)
        self.tissue.setToolTip("Paint where regions may be proposed; press again to keep it")
        self.tissue.toggled.connect(self.in_hand.edit_tissue)
        self.computed = button("Back to the computed tissue", self.in_hand.forget_tissue)
        self.body.addWidget(group("Queue", self.hint, self.shown, self.queue))
        self.body.addWidget(group("Tissue of this image", self.tissue, self.computed))

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
        with self.measure.changed.blocked():
            self.measure.value = state.measure
        with self.sampling.changed.blocked():
            self.sampling.value = session.project.config.sampling
        self.sampling.enabled = not state.read_only and state.job is None
        waiting = state.open_regions
        seconds = sum(queued.cost for queued in waiting)
        self.hint.setText(
            f"{len(waiting)} waiting, about {max(1, round(seconds / 60))} min by a first guess"
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
                f"  {queued.state.replace('_', ' ')}\n{queued.reason}",
                tip=f"score {queued.information:.4f}, about {queued.cost:.0f} s",
            )
            for queued in listed
        ]
        self.queue.show_rows(rows, current=state.region_id)

    def _strategy(self, name: str) -> None:
        """Show the size that a strategy brings along."""
        if STRATEGIES[name].size:
            self.size.value = STRATEGIES[name].size

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
                    count=self.count.value,
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
