"""A new project from a folder: drop it, look at what was found, choose classes, go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from magicgui.widgets import ComboBox, FloatSpinBox, LineEdit
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_active_seg.errors import ActiveSegError, ConfigError
from napari_active_seg.gui.panels.base import (
    button,
    folder_edit,
    folder_of,
    form,
    row,
    text_label,
)
from napari_active_seg.gui.panels.collapsible import CollapsibleSection
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.panels.split_fields import SplitFields
from napari_active_seg.gui.shell.background_task import BackgroundTask, Tell
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import (
    CLASS_TEMPLATES,
    CreatedProject,
    FolderReport,
    create_project,
    inspect_folder,
)
from napari_active_seg.session.labels.service import NOT_LABELLED

__all__ = ["NewProjectBox"]

_OWN = "Custom"
#: What unpainted pixels count as, where that is not a class: asked at the first region, or ignored.
_ASK_ME, _IGNORED = ("ask me", ""), ("ignored", NOT_LABELLED)
_UNANSWERED = "Say first whether the files that look like masks are masks"
_START = "Drop a folder of images here, or choose one"


class NewProjectBox(QWidget):  # type: ignore[misc]
    """Asks for a folder of images and says at once what is in it."""

    def __init__(self, context: DockContext) -> None:
        super().__init__()
        self._context = context
        self._task = BackgroundTask(self._failed)
        self._task.progressed.connect(
            lambda number, total: self._on_progress(number, total), thread="main"
        )
        self._found: FolderReport | None = None  # as the folder is
        self._look: FolderReport | None = None  # as the person has changed it
        self._answer: Literal["ask", "masks", "images"] = "ask"
        self._suggested = ""
        self._suggested_masks = ""
        self.images_dir = folder_edit("Image folder")
        self.template = ComboBox(label="Class preset", choices=[*CLASS_TEMPLATES, _OWN])
        self.classes = LineEdit(label="Classes")
        self.classes.tooltip = "Names with commas between them, the background first"
        self.found = text_label(_START)
        self.form = form(self.images_dir, self.template, self.classes)
        self.form.setToolTip("Images: PNG, JPEG, BMP, TIFF, slides or OME-Zarr")
        self.region_size = text_label()
        self._build_question()
        self._build_advanced()
        self.make = button("Create project", self._make)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self.found,
            self.question_box,
            self.form,
            self.region_size,
            self.advanced,
            self.make,
        ):
            layout.addWidget(widget)
        self._connect()
        self._take_template(self.template.value)
        for edit in (self.images_dir, self.masks_dir, self.folder):
            edit.choose_btn.text = "Browse..."
        self.spacing.visible = False
        self.region_size.hide()
        self.question_box.hide()

    def _build_question(self) -> None:
        """Lay out what is asked about images that look like masks."""
        self.question = text_label()
        self.use_as_masks = button("Use them as masks", lambda: self._take_answer("masks"))
        self.are_images = button("They are images", lambda: self._take_answer("images"))
        self.question_box = QWidget()
        layout = QVBoxLayout(self.question_box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.question)
        layout.addWidget(row(self.use_as_masks, self.are_images))

    def _build_advanced(self) -> None:
        """Lay out what most people leave as it is."""
        self.masks_dir = folder_edit("Existing masks")
        self.masks_dir.tooltip = "Filled in where masks are found; empty: no masks are used"
        self.unpainted = ComboBox(label="Unpainted pixels", choices=[_ASK_ME, _IGNORED])
        self.unpainted.tooltip = (
            "Unpainted pixels in finished regions count as this; ask me: at the first such region"
        )
        self.spacing = FloatSpinBox(label="Pixel size (µm)", min=0, max=50, step=0.05, value=0)
        self.spacing.tooltip = "Pixel size is not stored in these files; 0 = unknown"
        self.folder = folder_edit("Project folder")
        self.folder.tooltip = "A new or empty folder; your images stay where they are"
        self.split = SplitFields()
        self.advanced = CollapsibleSection(
            "Advanced",
            form(self.masks_dir, self.unpainted, self.spacing, self.folder),
            self.split,
            name="new project",
            preferences=self._context.preferences,
        )

    def _connect(self) -> None:
        self._soon = self._timer(self._inspect_folder)
        self._masks_soon = self._timer(self._look_again)
        for edit, soon in ((self.images_dir, self._soon), (self.masks_dir, self._masks_soon)):
            edit.changed.connect(lambda _value, timer=soon: timer.start())
            edit.line_edit.changed.connect(lambda _value, timer=soon: timer.start())
        self.spacing.changed.connect(lambda _value: self._show_region_size())
        self.template.changed.connect(self._take_template)
        self.classes.changed.connect(lambda _value: self._offer_unpainted())

    def _timer(self, slot: Callable[[], None]) -> QTimer:
        """Return a timer that waits until a person has stopped typing."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(300)
        timer.timeout.connect(slot)
        return timer

    @property
    def names(self) -> list[str]:
        """The classes that are written down."""
        return [name.strip() for name in self.classes.value.split(",") if name.strip()]

    def take_folder(self, folder: Path) -> None:
        """Begin with a folder that was dropped."""
        self.images_dir.line_edit.value = str(folder)
        self._inspect_folder()

    def release(self) -> None:
        """Forget what is still being looked at; the window may be gone already."""
        self._task.forget()

    def _take_template(self, name: str) -> None:
        if name in CLASS_TEMPLATES:
            self.classes.value = ", ".join(CLASS_TEMPLATES[name])
        self._offer_unpainted()

    def _offer_unpainted(self) -> None:
        names = self.names
        known = next((t for t, c in CLASS_TEMPLATES.items() if list(c) == names), _OWN)
        with self.template.changed.blocked():
            self.template.value = known
        kept = self.unpainted.value
        named = [(name, name) for name in dict.fromkeys(names)]
        self.unpainted.choices = [_ASK_ME, _IGNORED, *named]
        if kept in self.unpainted.choices:
            self.unpainted.value = kept

    def _inspect_folder(self) -> None:
        folder = folder_of(self.images_dir)
        if folder is None or not folder.is_dir():
            return
        self._soon.stop()
        if self._found is not None:  # masks were those of another folder
            self._suggested_masks = self.masks_dir.line_edit.value = ""
            self._masks_soon.stop()
        self._found = self._look = None
        self._answer = "ask"
        self.found.setText(f"Looking at {folder.name}...")
        self.question_box.hide()
        self.region_size.hide()
        allow(self.make, "The folder is being searched")

        def work(tell: Tell) -> object:
            look = inspect_folder(folder, on_file=tell)
            _ = look.mixed_squares  # takes a while, and is kept
            return look

        self._task.run(work, self._take_look)
        here = folder_of(self.folder)
        if here is None or str(here) == self._suggested:
            self._suggested = str(_free_name(folder))
            self.folder.line_edit.value = self._suggested

    def _take_look(self, look: object) -> None:
        """Show what is in the folder, with the masks that were found there."""
        if not isinstance(look, FolderReport):
            return
        self._found = look
        chosen = folder_of(self.masks_dir)
        if chosen is not None and str(chosen) != self._suggested_masks:
            self._look_again()  # the person named masks before
        else:
            self._show_look(look)
            self._suggest_masks(look)

    def _suggest_masks(self, look: FolderReport) -> None:
        """Fill in the folder of the masks that were found."""
        masks = look.masks.folder
        self._suggested_masks = "" if masks is None else str(masks)
        self.masks_dir.line_edit.value = self._suggested_masks
        self._masks_soon.stop()

    @property
    def _names_other_masks(self) -> bool:
        """Whether the person has named other masks than those that were found, or none."""
        return str(self.masks_dir.line_edit.value or "").strip() != self._suggested_masks

    def _look_again(self) -> None:
        """Show what becomes of the folder with the answer and the masks of the person."""
        found, answer, masks = self._found, self._answer, folder_of(self.masks_dir)
        others = self._names_other_masks
        if found is None or (masks is not None and not masks.is_dir()):
            return

        def work(_tell: Tell) -> object:
            look = found if masks is None or not others else found.with_masks(masks)
            if answer == "masks" and look.needs_answer:
                look = look.with_mask_like_as_masks()
            if masks is None and others:
                look = look.with_masks(None)
            _ = look.mixed_squares
            return look

        def shown(look: object) -> None:
            if isinstance(look, FolderReport):
                self._show_look(look)
                if not others:
                    self._suggest_masks(look)

        allow(self.make, "The folder is being searched")
        self._task.run(work, shown)

    def _take_answer(self, answer: Literal["masks", "images"]) -> None:
        self._answer = answer
        self.question_box.hide()
        self._look_again()

    def _show_look(self, look: FolderReport) -> None:
        self._look = look
        self.found.setText(look.summary)
        self.spacing.visible = look.without_spacing > 0
        other = "Choose the folder of the images" if look.has_only_masks else "What are they?"
        self.question.setText(f"{look.question}. {other}" if look.mask_like else "")
        only = "All files look like masks: there would be no images" if look.has_only_masks else ""
        allow(self.use_as_masks, only)
        self.question_box.setVisible(self._asks)
        allow(self.make, _UNANSWERED if self._asks else "")
        self.split.show_look(None if self._asks else look)
        self._show_region_size()

    @property
    def _asks(self) -> bool:
        """Whether the person still has to say what images that look like masks are."""
        return self._look is not None and self._look.needs_answer and self._answer == "ask"

    def _show_region_size(self) -> None:
        look = self._look
        self.region_size.setVisible(look is not None and not self._asks)
        if look is not None:
            suggestion = look.suggest_region_size(self.spacing.value or None)
            self.region_size.setText(f"{suggestion.summary}. It can be changed in Propose")

    def _on_progress(self, number: int, total: int) -> None:
        if self._task.is_running and isalive(self):
            self.found.setText(f"Looking: {number} of {total} files")

    def _failed(self, error: Exception) -> None:
        allow(self.make, _UNANSWERED if self._asks else "")
        self.found.setText(str(error) if isinstance(error, ActiveSegError) else "")
        self._context.tell(error)

    def _make(self) -> None:
        self._context.run(self._order)

    def _order(self) -> None:
        images_dir, folder = folder_of(self.images_dir), folder_of(self.folder)
        if images_dir is None or folder is None:
            raise ConfigError("choose a folder of images, and a new folder for the project")
        create = partial(
            create_project,
            folder,
            images_dir=images_dir,
            classes=self.names,
            masks_dir=folder_of(self.masks_dir) if self._names_other_masks else None,
            find_masks=not self._names_other_masks,
            settings=replace(
                self.split.settings, spacing=self.spacing.value or None, mask_like=self._answer
            ),
        )
        unpainted = self.unpainted.value
        allow(self.make, "The project is being made")

        def work(tell: Tell) -> object:
            return create(on_file=tell)

        def opened(made: object) -> None:
            allow(self.make)
            self.found.setText(_START)
            if isinstance(made, CreatedProject):
                _notify_of_reading(made)
                self._open(made.folder, unpainted)

        self._task.run(work, opened)

    def _open(self, folder: Path, unpainted: str) -> None:
        def configure(session: Session) -> None:
            if unpainted:  # else it is asked at the first finished region
                session.maintenance.configure(unpainted=unpainted)

        self._context.opener.open(folder, then=configure)


def _notify_of_reading(created: CreatedProject) -> None:
    """Show how masks were read, and what was left out or guessed."""
    lines = list(created.notes)
    if created.masks_read_as is not None:
        lines.insert(0, f"Masks were read as {created.masks_read_as.describe()}")
    if lines:
        notify(". ".join(lines))


def _free_name(images: Path) -> Path:
    """Return where a project of a folder of images could go: beside it, under a free name."""
    base = images.parent / f"{images.name}-project"
    found, number = base, 1
    while found.exists():
        number += 1
        found = base.with_name(f"{base.name}-{number}")
    return found
