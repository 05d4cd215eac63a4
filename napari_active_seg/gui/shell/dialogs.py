"""Questions to the person, each a dialog that is answered before anything goes on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from napari_active_seg.jobs import JobKind
from napari_active_seg.regions import find_background

__all__ = [
    "Held",
    "WholeRegion",
    "ask_apply_rule",
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
    "ask_whole_region",
    "closing_stops",
    "kept_full",
    "running_job",
]

#: Jobs that the program starts to show something; nobody waits for them.
_OWN_JOBS = (JobKind.PREDICT_VISIBLE, JobKind.EMBED, JobKind.LEARN_COST)
#: So many classes have a button of their own in a dialog.
_MOST_BUTTONS = 4


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


def running_job(jobs: Sequence[JobKind]) -> JobKind | None:
    """Return the first job that the person started, not the program for its own display."""
    return next((job for job in jobs if job not in _OWN_JOBS), None)


def closing_stops(job: JobKind) -> tuple[str, str]:
    """Return a sentence that ``job`` is running, and one about what closing does to it."""
    if job is JobKind.TRAIN:
        return "A network is being trained.", (
            "Closing stops it; the model in use stays. When you open the project again and train "
            "on the same labels, training resumes from its last epoch."
        )
    return f"{job.title.capitalize()} is running.", (
        "Closing stops it before it is finished. Labels and models that are saved stay."
    )


def ask_close_running(parent: QWidget | None, job: JobKind) -> bool:
    """Return whether to close although ``job`` is running."""
    running, consequence = closing_stops(job)
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(f"{job.title.capitalize()} is running")
    box.setText(running)
    box.setInformativeText(consequence)
    stay = box.addButton(f"Keep {job.title}", QMessageBox.ButtonRole.RejectRole)
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
    """Return what unpainted pixels of finished regions count as: ``not_labelled``, or a class.

    ``share`` of the region is not painted. None if the person would rather keep painting.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Unpainted pixels")
    empty = "Nothing is painted in this region."
    box.setText(empty if share == 1 else f"{_percent(share)} of this region is not painted.")
    box.setInformativeText(
        "What do unpainted pixels of finished regions count as in this project? The model does not "
        "learn from ignored pixels. This is asked once; you can change it in the Annotate tab."
    )
    roles = QMessageBox.ButtonRole
    background = names[find_background(names)]
    offered = [background, *(name for name in names if name != background)][:_MOST_BUTTONS]
    answers = {box.addButton(name, roles.AcceptRole): name for name in offered}
    box.setDefaultButton(next(iter(answers)))
    answers[box.addButton("Ignored", roles.AcceptRole)] = not_labelled
    keep = box.addButton("Keep painting", roles.RejectRole)
    box.setEscapeButton(keep)
    box.exec_()
    return answers.get(box.clickedButton())


def _percent(share: float) -> str:
    """Return a share between 0 and 1 that is neither, so that neither 0 nor 100 % is shown."""
    return f"{min(max(share, 0.01), 0.99):.0%}".replace("%", " %")


class WholeRegion(Enum):
    """What to do with a region in which nothing is painted."""

    YES = "Yes"
    SKIP = "Skip instead"
    KEEP_PAINTING = "Keep painting"


def ask_whole_region(parent: QWidget | None, background: str) -> WholeRegion:
    """Return whether a region in which nothing is painted is ``background`` as a whole."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Nothing is painted")
    box.setText(f"Nothing is painted. Is the whole region {background}?")
    roles = QMessageBox.ButtonRole
    yes = box.addButton(WholeRegion.YES.value, roles.AcceptRole)
    skip = box.addButton(WholeRegion.SKIP.value, roles.DestructiveRole)
    keep = box.addButton(WholeRegion.KEEP_PAINTING.value, roles.RejectRole)
    box.setDefaultButton(yes)
    box.setEscapeButton(keep)
    box.exec_()
    clicked = box.clickedButton()
    if clicked is yes:
        return WholeRegion.YES
    return WholeRegion.SKIP if clicked is skip else WholeRegion.KEEP_PAINTING


def ask_apply_rule(
    parent: QWidget | None, n_regions: int, name: str | None, *, n_full: int = 0
) -> bool:
    """Return whether to apply a new rule for unpainted pixels to regions finished already.

    ``name`` is the class that they become; None where they are ignored from now on, and then
    ``n_full`` regions stay as they are.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Finished regions")
    regions = "finished region" if n_regions == 1 else f"{n_regions} finished regions"
    box.setText(f"Apply to the {regions}?")
    text = f"Unpainted pixels in them become {name}. "
    if name is None:
        text = "Pixels that were filled when they were finished become unlabelled again. "
    text += "Nothing you painted changes; each can be undone in the version history."
    if name is None and n_full:
        text += f" {kept_full(n_full)}"
    box.setInformativeText(text)
    apply = box.addButton("Apply", QMessageBox.ButtonRole.AcceptRole)
    leave = box.addButton("Only later regions", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(apply)
    box.setEscapeButton(leave)
    box.exec_()
    return box.clickedButton() is apply


def kept_full(n_full: int) -> str:
    """Return why finished regions stay as they are when unpainted pixels are to be ignored."""
    regions = (
        "1 finished region stays as it is"
        if n_full == 1
        else (f"{n_full} finished regions stay as they are")
    )
    return f"{regions}: which of the pixels were painted is not on record."


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
