"""Annotate: the film strip, the current region, what it is painted with, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QGridLayout, QWidget

from napari_active_seg.gui.annotate.region_reason import describe_reason
from napari_active_seg.gui.annotate.shortcuts import KeyBook, describe_key
from napari_active_seg.gui.film_strip import FILTERS, ORDERS, FilmStrip
from napari_active_seg.gui.panels.annotation_settings import HabitsBox
from napari_active_seg.gui.panels.base import Panel, button, group, row, sentence
from napari_active_seg.gui.panels.display_options import SeeBox
from napari_active_seg.gui.panels.fixed_label import FixedLabel
from napari_active_seg.gui.panels.image_classes import ImageClassBox
from napari_active_seg.gui.panels.label_history import SavesBox
from napari_active_seg.gui.panels.paint_box import ToolsBox
from napari_active_seg.gui.panels.reasons import allow, set_tip
from napari_active_seg.gui.shell.preferences import Preferences
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session, ViewState

__all__ = ["AnnotatePanel"]

_ANSWERS = {
    RegionState.DONE: ("Done", "done"),
    RegionState.SKIPPED: ("Skip", "skip"),
    RegionState.CANT_TELL: ("Can't tell", "cant_tell"),
    RegionState.LATER: ("Later", "later"),
}


class AnnotatePanel(Panel):
    """The third tab."""

    title = "Annotate"

    def build(self) -> None:
        """Lay out the strip, the tools and the answers."""
        self._session: Session | None = None
        self.strip = FilmStrip()
        self.strip.chosen.connect(self._take)
        self.shown, self.by = QComboBox(), QComboBox()
        self.shown.addItems(list(FILTERS))
        self.by.addItems(list(ORDERS))
        for box in (self.shown, self.by):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(3)
            box.currentTextChanged.connect(lambda _text: self._show_strip())
        self.body.setSpacing(4)
        self.about = FixedLabel(lines=3)
        self.progress = FixedLabel(lines=1)
        self.progress.setToolTip(
            "Regions that are answered, and the seconds that you worked on this one: rests are "
            "left out"
        )
        self._answered = ""
        self._counted: tuple[object, ...] = (None, None, None)
        self.boxes = (
            ToolsBox(self.context, self.region_actions),
            SeeBox(self.context, self.region_actions),
        )
        self.tools, self.see = self.boxes
        self.as_a_whole = ImageClassBox(self.context, self.region_actions.asking)
        self.saves = SavesBox(self.context, self.region_actions)
        self.habits = HabitsBox(self.context)
        self.label_here = button("Label here", self._place_or_not)
        self.label_here.setCheckable(True)
        self.region_actions.on_placing = self._show_placing
        self.body.addWidget(row(self.shown, self.by, self.label_here))
        self.body.addWidget(self.strip)
        self.body.addWidget(self.about)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.as_a_whole)
        self.body.addWidget(self.tools)
        self.body.addWidget(self._answers())
        self.body.addWidget(self.see)
        self.body.addWidget(group("Saves of this region", self.saves, self.reopen))
        self.body.addWidget(self.habits)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._show_time)
        self._clock.start()
        self.context.preferences.changed.connect(self._prefer)
        self._prefer(self.context.preferences.now)

    def _answers(self) -> QWidget:
        """Lay out what a region can be answered with, and the way on and back."""
        answers = QWidget()
        grid = QGridLayout(answers)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        self.answers = {
            state: button(title, partial(self.region_actions.finish, state))
            for state, (title, _) in _ANSWERS.items()
        }
        self.back = button("Back", self.region_actions.back)
        self.next = button("Next", self.region_actions.next)
        self.reopen = button("Reopen", self.region_actions.reopen)
        buttons = (*self.answers.values(), self.back, self.next)
        for place, made in enumerate(buttons):
            grid.addWidget(made, place // 3, place % 3)
        return answers

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the queue and the current region."""
        super().render_state(session, view)
        self._session = session
        state, queued = session.state, session.state.region
        for answer, part in self.answers.items():
            allow(part, view.why_not.paint if answer is RegionState.DONE else view.why_not.answer)
        allow(self.reopen, view.why_not.reopen)
        allow(
            self.label_here, view.why_not.write or ("" if state.image_id else "No image is shown")
        )
        nothing_waits = "Nothing else waits to be labelled: propose regions"
        allow(self.next, "" if session.navigation.following is not None else nothing_waits)
        first = "This is the first region that you came to"
        allow(self.back, "" if session.navigation.can_go_back else first)
        allow(self.by, "You label blind: the order is random" if state.blind else "")
        for box in (*self.boxes, self.as_a_whole):
            box.render_state(session, view)
        self.tools.setVisible(state.question is None)
        self.saves.render_state(session, view)
        self.habits.render_state(session)
        self._show_strip()
        self._show_progress(session)
        self._show_time()
        if state.question is not None:
            self._show_question(state.question, blind=state.blind)
            return
        if queued is None:
            waits = bool(state.open_regions or state.open_questions)
            self.about.setText(
                "No region selected: click one above, or press Label here to choose a place "
                "yourself"
                if waits
                else "Nothing waits here. Propose regions, press Label here to choose a place "
                "yourself, or train on those that are done"
            )
            return
        region = queued.region
        why = describe_reason(queued, session.project.config.annotator)
        why = "" if state.blind else f" {why}."
        where = f"{region.height} x {region.width}, {queued.state.replace('_', ' ')}"
        self.about.setText(f"<b>{region.image_id}</b>, {where}.{_shortened(why)}")
        self.about.setToolTip(f"{region.image_id}, {where}.{why}")

    def _show_question(self, asked: QueuedRegion, *, blind: bool) -> None:
        """Say of which image a class is asked, and why."""
        why = "" if blind else f" {sentence(asked.reason)}."
        what = f"<b>{asked.region.image_id}</b> as a whole, {asked.state.replace('_', ' ')}"
        self.about.setText(f"{what}: what is it?{why}")
        self.about.setToolTip(why.strip())

    def render_saved(self, session: Session) -> None:
        """List the save that has just been made."""
        self.saves.render_saved(session)

    def render_closed(self) -> None:
        """Draw that no project is open."""
        super().render_closed()
        self._session = None
        self.strip.close_project()

    def let_go(self) -> None:
        """End the thread that makes the strip's pictures."""
        self.strip.let_go()

    def _show_strip(self) -> None:
        if self._session is not None:
            shown, by = self.shown.currentText(), self.by.currentText()
            self.strip.show_state(self._session, shown=shown, by=by)

    def _show_progress(self, session: Session) -> None:
        """Say how far this image and the whole queue are."""
        state = session.state
        counted = (state.queue, state.questions, state.image_id)
        if all(old is new for old, new in zip(self._counted, counted, strict=True)):
            return
        self._counted = counted
        asked = (*state.proposed_regions, *state.questions)
        here = [q for q in asked if q.region.image_id == state.image_id]
        text = f"answered {_answered(asked)} of {len(asked)}"
        if here:
            text += f", here {_answered(here)} of {len(here)}"
        self._answered = text

    def _show_time(self) -> None:
        if not self.isVisible() or self._session is None:
            return
        now = self.context.preferences.now
        seconds = self.region_actions.seconds
        shows = now.shows_time and now.measures_time and self._session.state.region is not None
        self.progress.setText(self._answered + (f"; {seconds:.0f} s" if shows else ""))

    def _place_or_not(self) -> None:
        if self.region_actions.is_placing:
            self.region_actions.stop_placing()
        else:
            self.region_actions.start_placing()

    def _show_placing(self) -> None:
        """Show on the button whether the next click places a region."""
        self.label_here.setChecked(self.region_actions.is_placing)

    def _take(self, region_id: str) -> None:
        self.context.with_session(lambda session: session.select_region(region_id))()

    def _prefer(self, now: Preferences) -> None:
        book = KeyBook(now.hand, now.keys)
        self.tools.show_keys(book)
        for state, (_, name) in _ANSWERS.items():
            set_tip(self.answers[state], describe_key(book.keys[name]))
        key = describe_key(book.keys["label_here"])
        set_tip(
            self.label_here,
            f"Choose a place yourself, where the prediction is wrong ({key}): click for a square, "
            f"drag for a box, {key} again for a square under the mouse, Esc to cancel. Skip "
            "removes it again while nothing is painted in it",
        )
        named = {"back": self.back, "next": self.next, "reopen": self.reopen}
        for name, made in named.items():
            set_tip(made, describe_key(book.keys[name]))


def _shortened(reason: str, most: int = 60) -> str:
    """Return the beginning of a reason; the tip has all of it."""
    return reason if len(reason) <= most else reason[:most].rsplit(" ", 1)[0] + " ..."


def _answered(regions: Sequence[QueuedRegion]) -> int:
    """Return how many of some regions a person is through with."""
    return sum(queued.is_answered for queued in regions)
