"""Project: open one, make one, and choose among its images."""

from __future__ import annotations

from collections import Counter

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QListWidgetItem

from napari_active_seg.gui.panels.base import Panel, button, group, text_label
from napari_active_seg.gui.panels.classes import ClassesBox
from napari_active_seg.gui.panels.diff_list import Listing, Row
from napari_active_seg.gui.panels.import_box import CareBox
from napari_active_seg.gui.panels.new_project import NewProjectBox
from napari_active_seg.gui.shell.dialogs import ask_folder
from napari_active_seg.session import Session, ViewState

__all__ = ["ProjectPanel"]


class ProjectPanel(Panel):
    """The first tab; it is alive without a project too."""

    title = "Project"

    def build(self) -> None:
        """Lay out opening, making, and the list of images."""
        self.about = text_label()
        self.images = Listing()
        self.images.setMinimumHeight(150)
        self.images.currentItemChanged.connect(self._choose)
        self.images_box = group("Images", self.about, self.images)
        self.new = NewProjectBox(self.context)
        self.body.addWidget(
            group(
                "Open",
                button("Open a project folder...", self._open),
                button("Try it: drawn histology", lambda: self._sample("histology")),
                button("Try it: drawn dermoscopy", lambda: self._sample("dermoscopy")),
            )
        )
        self.body.addWidget(self.images_box)
        self.classes_box = ClassesBox(self.context)
        self.care_box = CareBox(self.context)
        self.boxes = (
            group("Classes", self.classes_box),
            group("Labels and images", self.care_box),
        )
        for box in self.boxes:
            self.body.addWidget(box)
        self.body.addWidget(group("New project", self.new))

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what the project holds."""
        state = session.state
        for box in (self.images_box, *self.boxes):
            box.show()
        self.classes_box.render_state(session)
        self.care_box.render_state(session)
        validation = state.validation_ids
        self.about.setText(
            f"{state.project}: {len(state.image_ids)} images, {len(validation)} set aside for "
            f"validation. Classes: {', '.join(state.schema.names)}"
        )
        waiting = Counter(queued.region.image_id for queued in state.open_regions)
        rows = [
            Row(
                image_id,
                image_id
                + ("   set aside" if image_id in validation else "")
                + ("   missing" if image_id in state.missing else "")
                + (f"   {waiting[image_id]} to label" if waiting[image_id] else ""),
                grey=image_id in validation,
            )
            for image_id in state.image_ids
        ]
        self.images.show_rows(rows, current=state.image_id)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Look whether every image file is still where it was."""
        super().showEvent(event)
        self.context.missing.check()

    def let_go(self) -> None:
        """Forget a folder that is still being looked at."""
        self.new.release()

    def render_closed(self) -> None:
        """Offer opening and making alone."""
        for box in (self.images_box, *self.boxes):
            box.hide()

    def _choose(self, item: QListWidgetItem | None, _before: object = None) -> None:
        session = self.context.session
        if item is not None and session is not None:
            image_id = Listing.key_of(item)
            self.context.run(lambda: session.select_image(image_id))

    def _open(self) -> None:
        chosen = ask_folder(self, "Open a project folder")
        if chosen is not None:
            self.context.opener.open(chosen)

    def _sample(self, name: str) -> None:
        chosen = ask_folder(self, "Where should the sample project go?")
        if chosen is not None:
            self.context.opener.open_sample(name, chosen)
