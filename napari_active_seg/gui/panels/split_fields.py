"""Which images are set aside for validation: the share, and whose images stay together."""

from __future__ import annotations

from pathlib import PurePosixPath

from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_active_seg.errors import ActiveSegError
from napari_active_seg.gui.panels.base import file_edit, folder_of, form, text_label
from napari_active_seg.session.create_project import (
    GROUP_PATTERNS,
    FolderReport,
    ImageSettings,
    plan_split,
)

__all__ = ["SplitFields"]

_NO_GROUPS, _OWN_PATTERN = "not known", "custom pattern"


class SplitFields(QWidget):  # type: ignore[misc]
    """Fields of a new project's split, with their effect on the images that were found."""

    def __init__(self) -> None:
        super().__init__()
        self._look: FolderReport | None = None
        share = round(100 * ImageSettings().val_fraction)
        self.validation = SpinBox(label="Validation (%)", min=0, max=90, step=5, value=share)
        self.validation.tooltip = (
            "Share of the images that no model learns from; models are compared on them"
        )
        self.groups = ComboBox(
            label="Patient or slide", choices=[_NO_GROUPS, *GROUP_PATTERNS, _OWN_PATTERN]
        )
        self.groups.tooltip = "Images of one patient or slide are never on both sides of the split"
        self.pattern = LineEdit(label="Pattern")
        self.pattern.tooltip = (
            "Regular expression; its first parentheses enclose the patient or slide"
        )
        self.table = file_edit("Patient table", "*.csv")
        self.table.choose_btn.text = "Browse..."
        self.table.tooltip = "CSV with the columns image and patient (or slide, group) or split"
        self.folder_splits = CheckBox(text="Keep the split of the folders", value=True)
        self.effect = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        fields = (self.validation, self.groups, self.pattern, self.table, self.folder_splits)
        layout.addWidget(form(*fields))
        layout.addWidget(self.effect)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(300)
        self._soon.timeout.connect(self._show_effect)
        for field in (*fields, self.table.line_edit):
            field.changed.connect(lambda _value: self._soon.start())
        self.groups.changed.connect(lambda _value: self._show_pattern())
        self._show_pattern()
        self.folder_splits.visible = False

    @property
    def settings(self) -> ImageSettings:
        """What the fields say of the images."""
        pattern = GROUP_PATTERNS.get(self.groups.value)
        if self.groups.value == _OWN_PATTERN:
            pattern = self.pattern.value.strip() or None
        return ImageSettings(
            val_fraction=self.validation.value / 100,
            table=folder_of(self.table),
            group_pattern=pattern,
            folder_splits=self.folder_splits.value,
        )

    def show_look(self, look: FolderReport | None) -> None:
        """Show the effect on other images, or on none."""
        self._look = look
        self.folder_splits.visible = look is not None and bool(look.folder_splits)
        self._show_effect()

    def _show_pattern(self) -> None:
        self.pattern.visible = self.groups.value == _OWN_PATTERN

    def _show_effect(self) -> None:
        self.effect.setText("" if self._look is None else self._describe(self._look))

    def _describe(self, look: FolderReport) -> str:
        try:
            plan = plan_split(look, self.settings)
        except ActiveSegError as error:
            return str(error)
        text = f"Validation: {plan.summary}"
        if plan.test_images:
            text += f"; {plan.test_images} images are kept for the final test"
        if plan.example is not None:
            image, group = plan.example
            text += f". {group} from {PurePosixPath(image).name}; {plan.groups} groups"
        return ". ".join((text, *(note[:1].upper() + note[1:] for note in plan.notes)))
