"""Annotate: the region in hand, its classes, and what to do with it."""

from __future__ import annotations

from functools import partial

from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_active_seg.gui.keys import KEYS
from napari_active_seg.gui.panels.base import Panel, button, group, words
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
        keys = "<br>".join(f"<b>{key.replace('-', '+')}</b>  {does}" for key, does in KEYS.items())
        self.body.addWidget(group("Region", self.about))
        self.body.addWidget(group("Paint with", self.classes, self.draft))
        self.body.addWidget(group("Answer", answers))
        self.body.addWidget(group("Keys", words(keys + "<br><b>Alt+1, 2, ...</b>  paint a class")))

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the region in hand."""
        super().render_state(session, view)
        state, queued = session.state, session.state.region
        if self._schema != state.schema:
            self._show_classes(state.schema)
        for part in (self.classes, self.draft, *self.answers.values()):
            part.setEnabled(view.can_paint)
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
            paint.setIcon(_swatch(colour))
            rest = button("fill the rest", partial(self.in_hand.fill_rest, index))
            rest.setToolTip(f"Give {name} to every pixel of the region that is not painted yet")
            self.class_grid.addWidget(paint, index, 0)
            self.class_grid.addWidget(rest, index, 1)

    def _finish(self, state: RegionState) -> None:
        self.in_hand.finish(state)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
