"""Questions to the person, each a dialog that is answered before anything goes on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

__all__ = [
    "Held",
    "ask_close_running",
    "ask_close_unsaved",
    "ask_colour",
    "ask_file",
    "ask_folder",
    "ask_held",
    "ask_new_file",
    "ask_one_of",
    "ask_text",
    "ask_unpainted",
    "closing_stops",
    "running_job",
]

#: How the names of jobs begin that the program starts to show something; nobody waits for them.
_OWN_JOBS = ("looking", "learning")


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


def running_job(jobs: Sequence[str]) -> str | None:
    """Return the first job that the person started, not the program for its own display."""
    return next((job for job in jobs if not job.startswith(_OWN_JOBS)), None)


def closing_stops(job: str) -> tuple[str, str]:
    """Return a sentence that ``job`` is running, and one about what closing does to it."""
    if job == "training":
        return "A network is being trained.", (
            "Closing stops it; the model in use stays. When you open the project again and train "
            "on the same labels, training resumes from its last epoch."
        )
    return f"{job[:1].upper()}{job[1:]} is running.", (
        "Closing stops it before it is finished. Labels and models that are saved stay."
    )


def ask_close_running(parent: QWidget | None, job: str) -> bool:
    """Return whether to close although ``job`` is running."""
    running, consequence = closing_stops(job)
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(f"{job[:1].upper()}{job[1:]} is running")
    box.setText(running)
    box.setInformativeText(consequence)
    stay = box.addButton(f"Keep {job}", QMessageBox.ButtonRole.RejectRole)
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
