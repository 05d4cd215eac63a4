"""What a person does to the region in hand, for buttons and keys alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.gui.desk import Desk
from napari_active_seg.gui.layers import LayerBinder
from napari_active_seg.gui.painting import RegionPainter
from napari_active_seg.gui.tissue import TissueEditor
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session

__all__ = ["AnnotateActions"]


class AnnotateActions:
    """Verbs on the region in hand; without one they do nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._painter: RegionPainter | None = None
        self._binder: LayerBinder | None = None
        self._tissue: TissueEditor | None = None

    def attach(self, painter: RegionPainter | None, binder: LayerBinder | None) -> None:
        """Act on this painter and these layers from now on."""
        self._painter, self._binder = painter, binder
        session = self._desk.session
        attached = binder is not None and session is not None
        self._tissue = TissueEditor(self._desk.viewer, session) if attached and session else None

    @property
    def edits_tissue(self) -> bool:
        """Whether the tissue mask is on the canvas to be corrected."""
        return self._tissue is not None and self._tissue.is_open

    def edit_tissue(self, wanted: bool) -> None:
        """Show the tissue mask to be corrected, or keep it and go on."""
        editor = self._tissue
        if editor is None or editor.is_open == wanted:
            return
        self._desk.run(editor.open if wanted else editor.close)
        session, painter = self._desk.session, self._painter
        if not wanted and session is not None and painter is not None:
            painter.pick_up()
            self.zoom()

    def forget_tissue(self) -> None:
        """Go back to the tissue that is computed for the current image."""
        self.edit_tissue(False)
        session = self._desk.session
        if session is not None and session.state.image_id is not None:
            image_id = session.state.image_id
            self._desk.run(lambda: session.upkeep.set_tissue(image_id, None))

    @property
    def keys(self) -> dict[str, Callable[[], object]]:
        """Each key with what it does; classes are on Alt and their number from 1."""
        named: dict[str, Callable[[], object]] = {
            "Shift-N": self.next,
            "Shift-A": self.accept_draft,
            "Shift-D": partial(self.finish, RegionState.DONE),
            "Shift-S": partial(self.finish, RegionState.SKIPPED),
            "Shift-T": partial(self.finish, RegionState.CANT_TELL),
            "Shift-L": partial(self.finish, RegionState.LATER),
            "Shift-R": self.reopen,
            "Shift-U": partial(self._toggle, "uncertainty"),
            "Shift-P": partial(self._toggle, "prediction"),
            "Shift-Z": self.zoom,
        }
        for index in range(9):
            named[f"Alt-{index + 1}"] = partial(self.choose_class, index)
        return named

    def next(self) -> None:
        """Go to the next waiting region."""
        self._with_region(lambda session, _: session.next_region())

    def finish(self, state: RegionState) -> None:
        """Leave the region in ``state`` and go on to the next."""

        def leave(session: Session, painter: RegionPainter) -> None:
            painter.leave(state)
            session.next_region()

        self._with_region(leave)

    def reopen(self) -> None:
        """Take back that the region in hand is done, skipped or put off."""
        self._with_region(lambda session, painter: session.labels.reopen(str(painter.region_id)))

    def take_back(self, uid: str) -> None:
        """Take the region in hand back to an earlier save."""

        def restore(session: Session, painter: RegionPainter) -> None:
            painter.save()
            label = session.labels.restore(str(painter.region_id), uid)
            painter.show(label.target)

        self._with_region(restore)

    def accept_draft(self) -> None:
        """Paint the prediction where nothing is painted yet."""

        def fill(session: Session, painter: RegionPainter) -> None:
            queued = session.state.region
            prediction = None if queued is None else session.prediction(queued.region.image_id)
            if queued is None or prediction is None:
                raise NothingToDoError("there is no prediction of this image yet; train a model")
            painter.fill(prediction.classes[queued.region.slices])

        self._with_region(fill)

    def fill_rest(self, index: int) -> None:
        """Give class ``index`` to all that is not painted in the region."""
        self._with_region(lambda _, painter: painter.fill_rest(index))

    def choose_class(self, index: int) -> None:
        """Paint with class ``index``."""
        if self._painter is not None:
            self._painter.choose_class(index)

    def zoom(self) -> None:
        """Frame the region again."""
        session = self._desk.session
        if session is not None and self._binder is not None:
            self._binder.frame_region(session.state)

    def _toggle(self, role: str) -> None:
        if self._binder is not None:
            self._binder.toggle(role)

    def _with_region(self, verb: Callable[[Session, RegionPainter], None]) -> None:
        session, painter = self._desk.session, self._painter
        if session is not None and painter is not None and painter.region_id is not None:
            self._desk.run(lambda: verb(session, painter))
