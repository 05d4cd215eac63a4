"""What a person does to the current region, for buttons and keys alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.gui.annotate.click_tool import Clicking
from napari_active_seg.gui.annotate.image_question import QuestionInHand
from napari_active_seg.gui.annotate.label_here import RegionPlacer
from napari_active_seg.gui.annotate.paint_tools import TOOLS, Toolbox
from napari_active_seg.gui.annotate.region_painter import RegionPainter
from napari_active_seg.gui.annotate.tissue_editor import TissueEditor
from napari_active_seg.gui.layers.sync import LayerBinder, OverlayOptions
from napari_active_seg.gui.shell.context import DockContext, action_name
from napari_active_seg.gui.shell.dialogs import WholeRegion, ask_unpainted, ask_whole_region
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.labels.service import NOT_LABELLED

__all__ = ["AnnotateActions"]

_SMALLER, _LARGER = 1 / 1.25, 1.25


class AnnotateActions:
    """Verbs on the current region; without one they do nothing."""

    def __init__(self, context: DockContext) -> None:
        self._context = context
        self._painter: RegionPainter | None = None
        self._binder: LayerBinder | None = None
        self._tissue: TissueEditor | None = None
        self._placer: RegionPlacer | None = None
        self.tools: Toolbox | None = None
        self.asking = QuestionInHand(context)
        self._clicking = Clicking(
            context.backend.load_click_helper,
            lambda: context.preferences.now.click_helper,
            on_failed=context.tell,
        )
        self.on_tool: Callable[[], None] = lambda: None
        #: Set by the tabs that hold the settings of a proposal and of a training.
        self.on_propose: Callable[[], None] = lambda: None
        self.on_train: Callable[[], None] = lambda: None
        self.on_tissue: Callable[[], None] = lambda: None
        self.on_placing: Callable[[], None] = lambda: None

    def attach(self, painter: RegionPainter | None, binder: LayerBinder | None) -> None:
        """Act on this painter and these layers from now on."""
        self.stop_placing()
        self._painter, self._binder, self._placer = painter, binder, None
        session = self._context.session
        attached = binder is not None and session is not None
        self._tissue = TissueEditor(self._context.viewer, session) if attached and session else None
        self.tools = None
        if binder is not None:
            binder.on_removed = self._on_removed
        self._clicking.release()
        if painter is not None and session is not None:
            self.tools = Toolbox(painter, session, self._context.run, self._clicking)
        if painter is not None and session is not None and binder is not None:
            self._placer = RegionPlacer(
                self._context.viewer,
                session,
                binder,
                painter,
                window=self._context.parent,
                on_failed=self._context.tell,
                on_changed=lambda: self.on_placing(),
            )

    @property
    def edits_tissue(self) -> bool:
        """Whether the tissue mask is on the canvas to be corrected."""
        return self._tissue is not None and self._tissue.is_open

    @property
    def seconds(self) -> float:
        """Seconds of work on the current region, saved or not."""
        return 0.0 if self._painter is None else self._painter.meter.total_s

    @property
    def see(self) -> OverlayOptions:
        """What else is shown of an image."""
        return OverlayOptions() if self._binder is None else self._binder.see

    def edit_tissue(self, wanted: bool) -> None:
        """Show the tissue mask to be corrected, or keep it and go on."""
        editor = self._tissue
        if editor is None or editor.is_open == wanted:
            return
        self._context.run(editor.open if wanted else editor.close)
        self.on_tissue()
        session, painter = self._context.session, self._painter
        if not wanted and session is not None and painter is not None:
            painter.activate()
            self.zoom()

    def keep_tissue(self) -> None:
        """Keep a tissue mask that is being corrected; the window is closing."""
        if self._tissue is not None and self._tissue.is_open:
            self._context.run(self._tissue.close)

    def _on_removed(self, layer: Any) -> None:
        """Bring the paint layer back, and end the editing of a tissue mask that was removed."""
        painter, editor = self._painter, self._tissue
        if editor is not None and editor.is_on(layer):
            QTimer.singleShot(0, lambda: self.edit_tissue(False))
        elif painter is not None and layer == painter.layer:
            QTimer.singleShot(0, self._restore_paint)

    def _restore_paint(self) -> None:
        """Put the paint layer back over its region, once napari has done with removing it."""
        if self._painter is not None and not self.edits_tissue:
            self._painter.activate()

    def forget_tissue(self) -> None:
        """Go back to the tissue that is computed for the current image."""
        self.edit_tissue(False)
        session = self._context.session
        if session is not None and session.state.image_id is not None:
            image_id = session.state.image_id
            self._context.run(lambda: session.maintenance.set_tissue(image_id, None))

    @property
    def by_name(self) -> dict[str, Callable[[], object]]:
        """Each action that a key can be given, by the name of the action."""
        return {
            "next": self.next,
            "back": self.back,
            "accept": self.accept_draft,
            "done": partial(self.finish, RegionState.DONE),
            "skip": partial(self.finish, RegionState.SKIPPED),
            "cant_tell": partial(self.finish, RegionState.CANT_TELL),
            "later": partial(self.finish, RegionState.LATER),
            "reopen": self.reopen,
            "whole": self.fill_whole,
            "rest": self.fill_background,
            **{name: partial(self.choose_tool, name) for name in TOOLS},
            "smaller": partial(self._with_tools, lambda tools: tools.resize_brush(_SMALLER)),
            "larger": partial(self._with_tools, lambda tools: tools.resize_brush(_LARGER)),
            "keep_others": self.toggle_keeping,
            "snap": partial(self._with_tools, Toolbox.snap),
            "smooth": partial(self._with_tools, Toolbox.smooth),
            "specks": partial(self._with_tools, Toolbox.remove_specks),
            **{
                role: partial(self._toggle, role)
                for role in ("prediction", "uncertainty", "labels", "image")
            },
            "label_here": self.label_here,
            "zoom": self.zoom,
            "most_uncertain": self.to_most_uncertain,
            "propose": lambda: self.on_propose(),
            "train": lambda: self.on_train(),
        }

    @property
    def by_class_key(self) -> dict[str, Callable[[], object]]:
        """Classes, on Alt and their number from 1."""
        return {f"Alt-{index + 1}": partial(self.choose_class, index) for index in range(9)}

    def touch(self) -> None:
        """Count a key as a sign of life."""
        self.asking.touch()
        if self._painter is not None:
            self._painter.meter.touched()

    # --- where to ----------------------------------------------------------------------------

    def next(self) -> None:
        """Go to the next waiting region."""
        self._with_session(lambda session: session.next_region())

    def back(self) -> None:
        """Go back to the region before."""
        self._with_session(lambda session: session.navigation.back())

    def to_most_uncertain(self) -> None:
        """Bring the most uncertain pixel of this image to the middle."""

        def go(session: Session) -> None:
            y, x = session.navigation.to_most_uncertain()
            if self._binder is not None:
                self._binder.centre_on(y, x)

        self._with_session(go)

    def zoom(self) -> None:
        """Frame the region again."""
        session = self._context.session
        if session is not None and self._binder is not None:
            self._binder.frame_region(session.state)

    # --- regions of one's own ----------------------------------------------------------------

    @property
    def is_placing(self) -> bool:
        """Whether the next click on the image places a region."""
        return self._placer is not None and self._placer.is_on

    def label_here(self) -> None:
        """Let the next click place a region; the second time, place it under the mouse."""
        placer = self._placer
        if placer is not None and placer.is_on:
            placer.place_under_mouse()
        else:
            self.start_placing()

    def start_placing(self) -> None:
        """Let the next click on the image place a region of the person's own."""
        self.touch()
        if self._placer is not None:
            self.edit_tissue(False)
            self._context.run(self._placer.start)
        self.on_placing()

    def stop_placing(self) -> None:
        """Let clicks paint again."""
        if self._placer is not None:
            self._placer.stop()

    # --- answers -----------------------------------------------------------------------------

    def finish(self, state: RegionState) -> None:
        """Leave the region, or the question, in ``state`` and go on to the next."""
        if self._is_asked:
            self.asking.leave(state)
            return

        def leave(session: Session, painter: RegionPainter) -> None:
            painter.offer()
            if state is RegionState.SKIPPED and session.manual.is_untouched(str(painter.region_id)):
                session.manual.discard(str(painter.region_id))
                return
            to = self._check_unpainted(session, painter) if state is RegionState.DONE else state
            if to is not None:
                painter.leave(to)
                session.next_region()

        self._with_region(leave)

    def reopen(self) -> None:
        """Take back that the current region is done, skipped or put off."""
        self._with_region(lambda session, painter: session.labels.reopen(str(painter.region_id)))

    def take_back(self, uid: str) -> None:
        """Take the current region back to an earlier save."""

        def restore(session: Session, painter: RegionPainter) -> None:
            painter.save()
            label = session.labels.restore(str(painter.region_id), uid)
            painter.show(label.target)

        self._with_region(restore)

    def accept_draft(self) -> None:
        """Paint the prediction where nothing is painted yet."""

        def fill(session: Session, painter: RegionPainter) -> None:
            queued = session.state.region
            if session.state.blind:
                raise NothingToDoError("you label blind: nothing of the model is laid in")
            prediction = None if queued is None else session.predictions.near(queued.region)
            if queued is None or prediction is None:
                raise NothingToDoError(session.predictions.why_none)
            painter.apply_draft(prediction.crop_classes(queued.region))

        self._with_region(fill)

    # --- paint -------------------------------------------------------------------------------

    def fill_rest(self, index: int) -> None:
        """Give class ``index`` to all that is not painted in the region."""
        self._with_region(lambda _, painter: painter.fill_rest(index))

    def fill_background(self) -> None:
        """Give the background class to all that is not painted in the region."""

        def fill(session: Session, painter: RegionPainter) -> None:
            background = session.state.schema.background
            if background is None:
                raise NothingToDoError(
                    f"none of the classes ({', '.join(session.state.schema.names)}) is called "
                    "background; press 'rest' beside the class that fills the region"
                )
            painter.fill_rest(background)

        self._with_region(fill)

    def fill_whole(self) -> None:
        """Give the current class to the whole region."""

        def fill(_session: Session, painter: RegionPainter) -> None:
            layer = painter.layer
            if layer is not None and layer.selected_label > 0:
                value = np.uint8(layer.selected_label)
                painter.repaint(np.full(np.shape(layer.data), value, np.uint8))

        self._with_region(fill)

    def choose_class(self, index: int) -> None:
        """Paint with class ``index``, or answer the current question with it."""
        if self._is_asked:
            self.asking.answer(index)
            return
        self._with_tools(lambda tools: tools.choose_class(index))
        self.on_tool()

    def choose_tool(self, name: str) -> None:
        """Paint with another tool."""
        self._with_tools(lambda tools: tools.choose(name))
        self.on_tool()

    def toggle_keeping(self) -> None:
        """Paint over other classes from now on, or stop doing so."""
        self._with_tools(lambda tools: tools.keep_others(not tools.keeps_others))
        self.on_tool()

    @property
    def _is_asked(self) -> bool:
        session = self._context.session
        return session is not None and session.state.question is not None

    # --- what is seen ------------------------------------------------------------------------

    def look(self, see: OverlayOptions) -> None:
        """Show or hide what costs time to see, asking the model before where it must be."""
        binder = self._binder

        def show(session: Session) -> None:
            image_id = session.state.image_id
            known = image_id is None or session.predictions.disagreement(image_id) is not None
            if see.disagreement and image_id is not None and not known:
                session.predictions.predict_with_earlier(image_id, wait=False)
            if binder is not None:
                binder.look(see)

        self._with_session(show)

    def _toggle(self, role: str) -> None:
        if self._binder is not None:
            self._binder.toggle(role)

    def _check_unpainted(self, session: Session, painter: RegionPainter) -> RegionState | None:
        """Return the state for a region that is to be done; None to keep painting.

        Asks what unpainted pixels are where the project has no rule yet, and whether a region
        without paint is background where the rule ignores unpainted pixels.
        """
        target, queued, labels = painter.target, painter.queued, session.labels
        if target is None or queued is None:
            return RegionState.DONE
        share = labels.unpainted_pixels(queued.id, target) / queued.place.pixels
        if share > 0 and labels.asks_about_unpainted:
            names = session.state.schema.names
            answer = ask_unpainted(self._context.parent, share, names, NOT_LABELLED)
            if answer is None:
                return None
            session.maintenance.configure(unpainted=answer)
            if share == 1 and answer == NOT_LABELLED:
                notify("Nothing is painted in this region: paint something, or skip it")
                return None
        elif share == 1 and labels.unpainted_class is None:
            return self._ask_whole(session, painter)
        return RegionState.DONE

    def _ask_whole(self, session: Session, painter: RegionPainter) -> RegionState | None:
        """Ask whether a region without paint is background, and paint it where it is."""
        background = session.labels.background
        answer = ask_whole_region(self._context.parent, background)
        if answer is WholeRegion.YES:
            painter.fill_rest(session.state.schema.names.index(background))
            return RegionState.DONE
        return RegionState.SKIPPED if answer is WholeRegion.SKIP else None

    def _with_session(self, verb: Callable[[Session], None]) -> None:
        self.touch()
        self._context.with_session(verb)()

    def _with_tools(self, verb: Callable[[Toolbox], None]) -> None:
        self.touch()
        tools = self.tools
        if tools is not None:
            self._context.run(lambda: verb(tools), action=action_name(verb))

    def _with_region(self, verb: Callable[[Session, RegionPainter], None]) -> None:
        self.touch()
        session, painter = self._context.session, self._painter
        if session is not None and painter is not None and painter.region_id is not None:
            self._context.run(lambda: verb(session, painter), action=action_name(verb))
