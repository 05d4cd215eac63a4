"""What a project needs now and then: who labels, labels from elsewhere, images that moved."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from magicgui.widgets import LineEdit
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_active_seg.errors import RemedyId
from napari_active_seg.gui.panels.base import button, form, text_label
from napari_active_seg.gui.panels.reasons import allow_inside
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.gui.shell.dialogs import ask_file, ask_folder
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.project import Relinked
from napari_active_seg.session import Session
from napari_active_seg.session.add_images import AddedImages
from napari_active_seg.session.labels.task import LabellingResult
from napari_active_seg.session.view_state import READ_ONLY

__all__ = ["CareBox"]

T = TypeVar("T")
_LABEL_FILES = "Labels (*.geojson *.json *.zip)"


class CareBox(QWidget):  # type: ignore[misc]
    """The annotator's name, import, and the search for missing images."""

    def __init__(self, context: DockContext) -> None:
        super().__init__()
        self._context = context
        self.annotator = LineEdit(label="your name")
        self.annotator.native.editingFinished.connect(self._rename)
        self.masks = button("Import a folder of masks...", self._import_folder)
        self.file = button("Import QuPath GeoJSON, COCO or a zip...", self._import_file)
        self.more = button("Add images...", self._add_images, "They join the pool")
        self.missing = text_label()
        self.relink = button("Find missing images...", self.find_missing)
        context.handle_remedy(RemedyId.ACCEPT_IMAGES, self._accept_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        widgets = (
            form(self.annotator),
            self.masks,
            self.file,
            self.more,
            self.missing,
            self.relink,
        )
        for widget in widgets:
            layout.addWidget(widget)

    def render_state(self, session: Session) -> None:
        """Show who labels and which images are missing."""
        state = session.state
        allow_inside(self, READ_ONLY if state.read_only else "")
        with self.annotator.changed.blocked():
            self.annotator.value = session.project.config.annotator
        missing = sorted(state.missing)
        self.missing.setVisible(bool(missing))
        self.relink.setVisible(bool(missing))
        shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        self.missing.setText(f"{len(missing)} images are not where they were: {shown}")

    def _rename(self) -> None:
        name = self.annotator.value.strip()

        def configure(session: Session) -> None:
            if name and name != session.project.config.annotator:
                session.maintenance.configure(annotator=name)

        self._context.with_session(configure)()

    def _import_folder(self) -> None:
        self._import(ask_folder(self, "A folder of masks, named like the images"))

    def _import_file(self) -> None:
        self._import(ask_file(self, "A file of labels", _LABEL_FILES))

    def _import(self, path: Path | None) -> None:
        if path is not None:
            self._run(
                lambda session: session.labels.import_from(path, annotator=path.name, wait=False),
                _show_imported,
            )

    def _add_images(self) -> None:
        folder = ask_folder(self, "A folder of further images")
        if folder is not None:
            self._run(
                lambda session: session.maintenance.add_images(folder, wait=False), _show_added
            )

    def find_missing(self) -> None:
        """Ask where the missing images are now, and look for them there."""
        folder = ask_folder(self, "Where are the images now?")
        if folder is not None:
            self._run(
                lambda session: session.maintenance.relink(folder, wait=False), _show_relinked
            )

    def _accept_changed(self) -> None:
        """Take the files of images that were replaced as they are now."""
        self._run(lambda session: session.maintenance.accept_changed(wait=False), _show_accepted)

    def _run(self, verb: Callable[[Session], Future[T]], on_result: Callable[[T], object]) -> None:
        self._context.with_session(
            lambda session: self._context.when_done(verb(session), on_result)
        )()


def _show_accepted(image_ids: tuple[str, ...]) -> None:
    notify(f"{len(image_ids)} images are taken as they are now; do again what was refused")


def _show_added(added: AddedImages) -> None:
    text = f"{len(added.added)} images added, {len(added.known)} were there already"
    notify(". ".join((text, *added.notes)))


def _show_relinked(found: Relinked) -> None:
    notify(f"{len(found.found)} images found, {len(found.missing)} still missing")


def _show_imported(response: LabellingResult) -> None:
    text = f"{response.parts} labels taken over, {len(response.without_label)} images have none"
    if response.convention is not None:
        text += f". Masks were read as {response.convention.describe()}"
    notify(". ".join((text, *response.notes)))
