"""A new project from a folder: drop it, look at what was found, choose classes, go."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from magicgui.widgets import ComboBox, FloatSpinBox, LineEdit
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_active_seg.errors import ActiveSegError, ConfigError
from napari_active_seg.gui.desk import Desk
from napari_active_seg.gui.errand import Errand, Tell
from napari_active_seg.gui.panels.base import button, folder_edit, folder_of, form, words
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.session import Session
from napari_active_seg.session.creation import CLASS_TEMPLATES, FolderLook
from napari_active_seg.session.label_desk import NOT_LABELLED

__all__ = ["NewProjectBox"]

_OWN = "classes of my own"
#: What unpainted pixels count as, where that is not a class: asked at the first region, or ignored.
_ASK_ME, _IGNORED = ("ask me", ""), ("ignored", NOT_LABELLED)


class NewProjectBox(QWidget):  # type: ignore[misc]
    """Asks for a folder of images and says at once what is in it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._errand = Errand(self._failed)
        self._errand.progressed.connect(
            lambda number, total: self._on_progress(number, total), thread="main"
        )
        self._look: FolderLook | None = None
        self._suggested = ""
        self.images_dir = folder_edit("images")
        self.masks_dir = folder_edit("masks")
        self.template = ComboBox(label="template", choices=[*CLASS_TEMPLATES, _OWN])
        self.classes = LineEdit(label="classes")
        self.unpainted = ComboBox(label="unpainted pixels", choices=[_ASK_ME, _IGNORED])
        self.unpainted.tooltip = (
            "Unpainted pixels in finished regions count as this; ask me: at the first such region"
        )
        self.spacing = FloatSpinBox(label="µm per pixel", min=0, max=50, step=0.05, value=0)
        self.spacing.tooltip = "Asked since the files do not say; 0 leaves it open"
        self.folder = folder_edit("save to")
        self.found = words("Drop a folder of images here, or choose one")
        self.form = form(
            self.images_dir,
            self.masks_dir,
            self.template,
            self.classes,
            self.unpainted,
            self.spacing,
            self.folder,
        )
        self.form.setToolTip(
            "images: a folder of PNG, JPEG, BMP, TIFF, slides or OME-Zarr; "
            "masks: only if some exist already; save to: a new or empty folder"
        )
        self.make = button("Make the project", self._make)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.found, self.form, self.make):
            layout.addWidget(widget)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(300)
        self._soon.timeout.connect(self._look_at_folder)
        self.images_dir.changed.connect(lambda _value: self._soon.start())
        self.images_dir.line_edit.changed.connect(lambda _value: self._soon.start())
        self.template.changed.connect(self._take_template)
        self.classes.changed.connect(lambda _value: self._offer_unpainted())
        self._take_template(self.template.value)
        self.spacing.visible = False

    @property
    def names(self) -> list[str]:
        """The classes that are written down."""
        return [name.strip() for name in self.classes.value.split(",") if name.strip()]

    def take_folder(self, folder: Path) -> None:
        """Begin with a folder that was dropped."""
        self.images_dir.line_edit.value = str(folder)
        self._look_at_folder()

    def release(self) -> None:
        """Forget what is still being looked at; the window may be gone already."""
        self._errand.forget()

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

    def _look_at_folder(self) -> None:
        folder = folder_of(self.images_dir)
        if folder is None or not folder.is_dir():
            return
        self._look = None
        self.found.setText(f"Looking at {folder.name}...")
        look = self._desk.tools.look_at_folder
        self._errand.run(lambda tell: look(folder, on_file=tell), self._show_look)
        here = folder_of(self.folder)
        if here is None or str(here) == self._suggested:
            self._suggested = str(_free_name(folder))
            self.folder.line_edit.value = self._suggested

    def _show_look(self, look: object) -> None:
        if not isinstance(look, FolderLook):
            return
        self._look = look
        self.found.setText(look.words)
        self.spacing.visible = look.without_spacing > 0
        if look.masks_dir is not None and folder_of(self.masks_dir) is None:
            self.masks_dir.line_edit.value = str(look.masks_dir)

    def _on_progress(self, number: int, total: int) -> None:
        if self._errand.is_running and isalive(self):
            self.found.setText(f"Looking: {number} of {total} files")

    def _failed(self, error: Exception) -> None:
        allow(self.make)
        self.found.setText(str(error) if isinstance(error, ActiveSegError) else "")
        self._desk.tell(error)

    def _make(self) -> None:
        self._desk.run(self._order)

    def _order(self) -> None:
        images_dir, folder = folder_of(self.images_dir), folder_of(self.folder)
        if images_dir is None or folder is None:
            raise ConfigError("choose a folder of images, and a new folder to save to")
        create = partial(
            self._desk.tools.create_project,
            folder,
            images_dir=images_dir,
            classes=self.names,
            masks_dir=folder_of(self.masks_dir),
            spacing=self.spacing.value or None,
        )
        unpainted = self.unpainted.value
        allow(self.make, "The project is being made")

        def work(tell: Tell) -> object:
            return create(on_file=tell).folder

        def opened(made: object) -> None:
            allow(self.make)
            self.found.setText("Drop a folder of images here, or choose one")
            self._open(Path(str(made)), unpainted)

        self._errand.run(work, opened)

    def _open(self, folder: Path, unpainted: str) -> None:
        def configure(session: Session) -> None:
            if unpainted:  # else it is asked at the first finished region
                session.upkeep.configure(unpainted=unpainted)

        self._desk.opener.open(folder, then=configure)


def _free_name(images: Path) -> Path:
    """Return where a project of a folder of images could go: beside it, under a free name."""
    base = images.parent / f"{images.name}-project"
    found, number = base, 1
    while found.exists():
        number += 1
        found = base.with_name(f"{base.name}-{number}")
    return found
