"""A class per image in addition to the mask: where it is said, and where one is asked."""

from __future__ import annotations

from functools import partial

from magicgui.widgets import LineEdit, SpinBox
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_active_seg.gui.annotate.image_question import QuestionInHand
from napari_active_seg.gui.panels.base import Box, button, form, sentence, text_label
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import MOST_IMAGE_CLASSES
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.image_classes.service import NO_DIAGNOSIS, describe_head

__all__ = ["AskBox", "ImageClassBox"]


class ImageClassBox(Box):
    """What the image on screen is as a whole; hidden where the project asks no such thing."""

    title_text = "This image as a whole"

    def __init__(self, context: DockContext, asking: QuestionInHand) -> None:
        self._asking = asking
        super().__init__(context)

    def build(self) -> None:
        """Lay out a button for each class that there may be."""
        self.names = QWidget()
        grid = QGridLayout(self.names)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        self.buttons: list[QPushButton] = []
        for index in range(MOST_IMAGE_CLASSES):
            made = button("", partial(self._asking.answer, index), f"Alt+{index + 1}, when asked")
            made.setCheckable(True)
            grid.addWidget(made, index // 3, index % 3)
            self.buttons.append(made)
        self.said = text_label()
        self.body.addWidget(self.names)
        self.body.addWidget(self.said)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what was said of the image, and what the second head says."""
        state, service = session.state, session.image_classes
        self._asking.render_state(state)
        self.setVisible(bool(service.classes) and state.image_id is not None)
        if not service.classes or state.image_id is None:
            return
        answer = service.answers().get(state.image_id)
        for index, made in enumerate(self.buttons):
            there = index < len(service.classes)
            made.setVisible(there)
            allow(made, view.why_not.write)
            if there:
                made.setText(service.classes[index])
                with QSignalBlocker(made):
                    made.setChecked(answer is not None and answer.name == service.classes[index])
        parts = []
        if answer is not None:
            parts.append(f"{answer.name or 'nobody can tell'}, said by {answer.annotator}")
        opinion = service.opinion(state.image_id)
        if opinion is not None:
            parts.append(describe_head(opinion))
        self.said.setText(sentence("; ".join(parts)))
        self.said.setVisible(bool(parts))


class AskBox(Box):
    """What images may be, and of which to ask next."""

    title_text = "A class per image"

    def build(self) -> None:
        """Lay out the names, the number and the button."""
        self.names = LineEdit(label="classes of images")
        self.names.tooltip = "Two to nine names, such as benign, malignant; none for no such class"
        self.count = SpinBox(label="images", min=1, max=10_000, value=8)
        self.form = form(self.names, self.count)
        self.go = button(
            "Ask about images",
            self._ask,
            "Put the images into the queue of whose class a second head is least sure",
        )
        self.hint = text_label()
        self.body.addWidget(self.form)
        self.body.addWidget(self.go)
        self.body.addWidget(self.hint)
        self.names.native.editingFinished.connect(self._name)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what holds and how the second head did."""
        state, service = session.state, session.image_classes
        if not self.names.native.hasFocus():
            with self.names.changed.blocked():
                self.names.value = ", ".join(service.classes)
        self.names.enabled = not state.read_only
        why_not = view.why_not.write
        if not service.classes:
            why_not = why_not or "Name the classes of images first"
        if JobKind.CHOOSE_IMAGES in state.jobs:
            why_not = why_not or "Images are being chosen: wait for it, or stop it"
        allow(self.go, why_not)
        parts = []
        if state.questions:
            known = sum(asked.is_answered for asked in state.questions)
            parts.append(f"{known} of {len(state.questions)} questions answered")
        if service.summary:
            parts.append(f"{service.summary} ({NO_DIAGNOSIS})")
        self.hint.setText(". ".join(sentence(part) for part in parts))
        self.hint.setVisible(bool(parts))

    def _name(self) -> None:
        session = self.context.session
        names = [part.strip() for part in str(self.names.value).split(",") if part.strip()]
        if session is not None and tuple(names) != session.image_classes.classes:
            self.context.run(lambda: session.image_classes.name(*names))

    def _ask(self) -> None:
        count = self.count.value
        self.context.with_session(lambda session: session.image_classes.ask(count, wait=False))()
