"""Questions to the person, each a dialog that is answered before anything goes on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

__all__ = [
    "Held",
    "ask_close_training",
    "ask_close_unsaved",
    "ask_colour",
    "ask_file",
    "ask_folder",
    "ask_held",
    "ask_new_file",
    "ask_one_of",
    "ask_text",
    "ask_unpainted",
]


class Held(Enum):
    """What to do with a project that somebody else holds."""

    READ_ONLY = "Open read-only"
    TAKE_OVER = "Take it over"
    CANCEL = "Cancel"


def ask_held(parent: QWidget | None, holder: str) -> Held:
    """Return what to do with a project that ``holder`` holds."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("The project is open elsewhere")
    box.setText(f"{holder[:1].upper()}{holder[1:]} writes to this project.")
    box.setInformativeText(
        "You can look at it read-only. Take it over only if that window is gone for certain: it "
        "will no longer be able to save."
    )
    roles = QMessageBox.ButtonRole
    read = box.addButton(Held.READ_ONLY.value, roles.AcceptRole)
    take = box.addButton(Held.TAKE_OVER.value, roles.DestructiveRole)
    box.addButton(Held.CANCEL.value, roles.RejectRole)
    box.setDefaultButton(read)
    box.exec_()
    clicked = box.clickedButton()
    if clicked is read:
        return Held.READ_ONLY
    return Held.TAKE_OVER if clicked is take else Held.CANCEL


def ask_close_training(parent: QWidget | None) -> bool:
    """Return whether to close although a network is being trained."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Training is under way")
    box.setText("A network is being trained.")
    box.setInformativeText(
        "Closing stops it; the model in use stays. When you open the project again and train on "
        "the same labels, it goes on from its last epoch."
    )
    stay = box.addButton("Keep training", QMessageBox.ButtonRole.RejectRole)
    leave = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(stay)
    box.exec_()
    return box.clickedButton() is leave


def ask_close_unsaved(parent: QWidget | None, why: str) -> bool:
    """Return whether to close although paint is not on the disk; ``why`` says what keeps it."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Paint is not saved")
    box.setText("Your last strokes are not on the disk yet.")
    box.setInformativeText(why)
    stay = box.addButton("Stay and try again", QMessageBox.ButtonRole.RejectRole)
    leave = box.addButton("Close and lose them", QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(stay)
    box.exec_()
    return box.clickedButton() is leave


def ask_unpainted(
    parent: QWidget | None, share: float, names: Sequence[str], not_labelled: str
) -> str | None:
    """Return what unpainted pixels of finished regions are: ``not_labelled``, or a class.

    None if the person would rather go on painting.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Pixels that are not painted")
    box.setText(f"{max(share, 0.01):.0%} of this region is not painted.")
    box.setInformativeText(
        "What are unpainted pixels of finished regions in this project? This is asked once; the "
        "Annotate tab shows it, and it can be changed there."
    )
    roles = QMessageBox.ButtonRole
    answers = {box.addButton("Not labelled", roles.AcceptRole): not_labelled}
    for name in names[:4]:
        answers[box.addButton(name, roles.AcceptRole)] = name
    box.addButton("Go on painting", roles.RejectRole)
    box.exec_()
    return answers.get(box.clickedButton())


def ask_text(parent: QWidget, title: str, question: str, given: str = "") -> str | None:
    """Return a line of text; None if the person thought better of it."""
    text, accepted = QInputDialog.getText(parent, title, question, text=given)
    return text.strip() if accepted and text.strip() else None


def ask_one_of(parent: QWidget, title: str, question: str, choices: list[str]) -> str | None:
    """Return one of ``choices``; None if the person thought better of it."""
    text, accepted = QInputDialog.getItem(parent, title, question, choices, 0, False)
    return text if accepted else None


def ask_colour(parent: QWidget, given: str) -> str | None:
    """Return a colour as ``#rrggbb``; None if the person thought better of it."""
    colour = QColorDialog.getColor(QColor(given), parent)
    return colour.name() if colour.isValid() else None


def ask_folder(parent: QWidget, title: str) -> Path | None:
    """Return a folder that is there; None if the person thought better of it."""
    chosen = QFileDialog.getExistingDirectory(parent, title)
    return Path(chosen) if chosen else None


def ask_file(parent: QWidget, title: str, kinds: str) -> Path | None:
    """Return a file of certain ``kinds`` (Qt's filter); None if the person thought better of it."""
    chosen, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    return Path(chosen) if chosen else None


def ask_new_file(parent: QWidget, title: str, kinds: str, suffix: str) -> Path | None:
    """Return where to write a file; None if the person thought better of it."""
    chosen, _ = QFileDialog.getSaveFileName(parent, title, "", kinds)
    if not chosen:
        return None
    path = Path(chosen)
    return path if path.suffix else path.with_suffix(suffix)
