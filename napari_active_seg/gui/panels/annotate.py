"""Annotate: the region in hand, its classes, and what to do with it."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QWidget

from napari_active_seg.gui.keys import KEYS
from napari_active_seg.gui.panels.base import Panel, button, group, words
from napari_active_seg.gui.panels.classes import swatch
from napari_active_seg.regions import LabelSchema, RegionState
from napari_active_seg.session import Session, ViewState

__all__ = ["AnnotatePanel"]


class AnnotatePanel(Panel):
    """The third tab."""

    title = "Annotate"

    def build(self) -> None:
        """Lay out the region's reason, the class buttons and the answers."""
        self.about = words()
        self.classes = QWidget()
        self.class_grid = QGridLayout(self.classes)
        self.class_grid.setContentsMargins(0, 0, 0, 0)
        self._schema: LabelSchema | None = None
        self.draft = button("Accept draft", self.in_hand.accept_draft, "Shift+A")
        answers = QWidget()
        grid = QGridLayout(answers)
        grid.setContentsMargins(0, 0, 0, 0)
        self.answers = {
            RegionState.DONE: button("Done", partial(self._finish, RegionState.DONE), "Shift+D"),
            RegionState.SKIPPED: button(
                "Skip", partial(self._finish, RegionState.SKIPPED), "Shift+S"
            ),
            RegionState.CANT_TELL: button(
                "Can't tell", partial(self._finish, RegionState.CANT_TELL), "Shift+T"
            ),
            RegionState.LATER: button("Later", partial(self._finish, RegionState.LATER), "Shift+L"),
        }
        for place, made in enumerate(self.answers.values()):
            grid.addWidget(made, place // 2, place % 2)
        self.reopen = button("Reopen", self.in_hand.reopen, "Shift+R")
        grid.addWidget(self.reopen, 2, 0)
        self.saves = QComboBox()
        self.saves.setToolTip("Every save of this region, the latest first")
        self.saves.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.back = button("Take back", self._take_back, "Go back to this save; nothing is lost")
        history = QWidget()
        row = QHBoxLayout(history)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.saves, 1)
        row.addWidget(self.back)
        keys = "<br>".join(f"<b>{key.replace('-', '+')}</b>  {does}" for key, does in KEYS.items())
        self.body.addWidget(group("Region", self.about))
        self.body.addWidget(group("Paint with", self.classes, self.draft))
        self.body.addWidget(group("Answer", answers))
        self.body.addWidget(group("Saves", history))
        self.body.addWidget(group("Keys", words(keys + "<br><b>Alt+1, 2, ...</b>  paint a class")))

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the region in hand."""
        super().render_state(session, view)
        state, queued = session.state, session.state.region
        if self._schema != state.schema:
            self._show_classes(state.schema)
        for part in (self.classes, self.draft, *self.answers.values(), self.saves, self.back):
            part.setEnabled(view.can_paint)
        self.reopen.setEnabled(view.can_reopen)
        if queued is None or queued.id not in state.unsaved:
            self._show_saves(session, None if queued is None else queued.id)
        if queued is None:
            self.about.setText("No region in hand. Propose some, or click one in the queue")
            return
        region = queued.region
        self.about.setText(
            f"<b>{region.image_id}</b>, {region.height} x {region.width} pixels, "
            f"{queued.state.replace('_', ' ')}. {queued.reason}."
        )
        self.draft.setEnabled(region.image_id in state.predicted)

    def _show_classes(self, schema: LabelSchema) -> None:
        self._schema = schema
        while (item := self.class_grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        for index, (name, colour) in enumerate(zip(schema.names, schema.colours, strict=True)):
            paint = button(name, partial(self.in_hand.choose_class, index), f"Alt+{index + 1}")
            paint.setIcon(swatch(colour))
            rest = button("fill the rest", partial(self.in_hand.fill_rest, index))
            rest.setToolTip(f"Give {name} to every pixel of the region that is not painted yet")
            self.class_grid.addWidget(paint, index, 0)
            self.class_grid.addWidget(rest, index, 1)

    def render_saved(self, session: Session) -> None:
        """List the save that has just been made."""
        self._show_saves(session, session.state.region_id)

    def _show_saves(self, session: Session, region_id: str | None) -> None:
        history = () if region_id is None else session.project.labels.history(region_id)
        self.saves.clear()
        for saved in reversed(history):
            at = datetime.fromtimestamp(saved.saved_at).astimezone().strftime("%d %b %H:%M:%S")
            state = "" if saved.state is None else saved.state.replace("_", " ")
            self.saves.addItem(f"{at}  {saved.annotator}  {state}", saved.uid)
        self.back.setEnabled(self.saves.isEnabled() and len(history) > 1)

    def _take_back(self) -> None:
        uid = self.saves.currentData()
        if uid is not None:
            self.in_hand.take_back(uid)

    def _finish(self, state: RegionState) -> None:
        self.in_hand.finish(state)
