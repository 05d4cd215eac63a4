"""Every save of the current region, to go back to."""

from __future__ import annotations

from datetime import datetime

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QWidget

from napari_active_seg.gui.annotate.actions import AnnotateActions
from napari_active_seg.gui.panels.base import button
from napari_active_seg.gui.panels.reasons import allow, allow_inside
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.session import Session, ViewState

__all__ = ["SavesBox"]


class SavesBox(QWidget):  # type: ignore[misc]
    """A list of saves and a button that takes one back; it reads when the list is opened."""

    def __init__(self, context: DockContext, actions: AnnotateActions) -> None:
        super().__init__()
        self._context, self._in_hand = context, actions
        self._known: object = None
        self.list = QComboBox()
        self.list.setToolTip("Every save of this region, the latest first")
        self.list.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.back = button("Take back", self._take_back, "Go back to this save; nothing is lost")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.list, 1)
        row.addWidget(self.back)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the saves of the current region."""
        state, queued = session.state, session.state.region
        allow_inside(self, view.why_not.paint)
        if queued is None or queued.id not in state.unsaved:
            self._show(session, None if queued is None else queued.id)

    def render_saved(self, session: Session) -> None:
        """List the save that has just been made."""
        self._show(session, session.state.region_id)

    def _show(self, session: Session, region_id: str | None) -> None:
        history = () if region_id is None else session.project.labels.history(region_id)
        known = [save.uid for save in history]
        if known == self._known:
            return
        self._known = known
        self.list.clear()
        for saved in reversed(history):
            at = datetime.fromtimestamp(saved.saved_at).astimezone().strftime("%d %b %H:%M:%S")
            state = "" if saved.state is None else saved.state.replace("_", " ")
            self.list.addItem(f"{at}  {saved.annotator}  {state}", saved.uid)
        allow(self.back, "" if len(history) > 1 else "There is no earlier save of this region")

    def _take_back(self) -> None:
        uid = self.list.currentData()
        if uid is not None:
            self._in_hand.take_back(uid)
