"""Every error that the package raises on purpose.

::

    ActiveSegError                  something a person can act on; exit code 1 on the command line
    ├── BadInputError               an argument is invalid
    │   ├── ConfigError             a setting is out of its range or unknown
    │   ├── SchemaError             the list of classes does not make sense
    │   ├── ImageError              an image or mask cannot be read, or does not fit its partner
    │   │   └── MissingImageError   its file is not where it should be
    │   └── AnnotationError         a file of labels cannot be read, or names other classes
    ├── ProjectError                the project folder is missing, foreign, damaged or taken
    │   ├── ProjectHeldError        somebody else writes to it; it can be opened read-only
    │   ├── ProjectNotWritableError the folder or drive may not be written to; the same goes
    │   └── ProjectTakenOverError   somebody else writes to it now; it is read-only from then on
    ├── NothingToDoError            the request is sound, but there is nothing left to do it with
    ├── OneClassError               the labels to train on hold one class alone
    ├── BusyError                   a job runs already; wait for it or stop it
    ├── ModelError                  a checkpoint or network cannot be used
    ├── MissingExtraError           an optional package is not installed
    └── StoppedError                the person pressed stop; not a failure

Messages name the thing, its value and the remedy, in one line. An error may carry ``remedies``, for
which the window shows buttons.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "ActiveSegError",
    "AnnotationError",
    "BadInputError",
    "BusyError",
    "ConfigError",
    "ImageError",
    "MissingExtraError",
    "MissingImageError",
    "ModelError",
    "NothingToDoError",
    "OneClassError",
    "ProjectError",
    "ProjectHeldError",
    "ProjectNotWritableError",
    "ProjectTakenOverError",
    "Remedy",
    "RemedyId",
    "SchemaError",
    "StoppedError",
    "describe_disk_error",
    "did_you_mean",
]

#: Remedies for the errors of disks and operating systems.
_REMEDIES = {
    errno.ENOENT: "check the name, and that its folder is there",
    errno.EACCES: "choose another place, or allow it there",
    errno.EPERM: "choose another place, or allow it there",
    errno.EROFS: "choose another place",
    errno.EEXIST: "choose another name",
    errno.ENOTDIR: "choose another name",
    errno.EISDIR: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: "free disk space",
    errno.EDQUOT: "free disk space",
    errno.EIO: "check the drive",
}


class RemedyId(StrEnum):
    """Actions that resolve an error; the window has a handler for each that it offers."""

    ACCEPT_IMAGES = "take replaced images as they are now"
    COUNT_UNPAINTED = "count unpainted pixels and train"


@dataclass(frozen=True, slots=True)
class Remedy:
    """An action that resolves an error, with the text of its button."""

    id: RemedyId
    label: str


class ActiveSegError(Exception):
    """Base of all errors that carry a remedy for a person."""

    def __init__(self, *args: object, remedies: Sequence[Remedy] = ()) -> None:
        super().__init__(*args)
        self.remedies = tuple(remedies)


class BadInputError(ActiveSegError):
    """A value that was handed in does not fit."""


class ConfigError(BadInputError):
    """A setting is out of its range or unknown."""


class SchemaError(BadInputError):
    """The list of classes does not make sense."""


class ImageError(BadInputError):
    """An image or mask cannot be read, or does not fit its partner."""


class MissingImageError(ImageError):
    """The file of an image is not where it should be."""


class AnnotationError(BadInputError):
    """A file of labels cannot be read, or does not fit the project."""


class ProjectError(ActiveSegError):
    """The project folder is missing, foreign, damaged, or there already."""


class ProjectHeldError(ProjectError):
    """Somebody else writes to the project; ``holder`` describes who."""

    def __init__(self, message: str, *, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class ProjectNotWritableError(ProjectError):
    """The folder or the drive of the project may not be written to."""


class ProjectTakenOverError(ProjectError):
    """Another window or program writes to the project now; ``by`` names who."""

    def __init__(self, message: str, *, by: str) -> None:
        super().__init__(message)
        self.by = by

    def __reduce__(self) -> tuple[Callable[[str, str], ProjectTakenOverError], tuple[str, str]]:
        """Cross to another process with ``by``."""
        return _taken_over, (str(self), self.by)


def _taken_over(message: str, by: str) -> ProjectTakenOverError:
    return ProjectTakenOverError(message, by=by)


class NothingToDoError(ActiveSegError):
    """The request is sound, but there is nothing left to do it with."""


class OneClassError(ActiveSegError):
    """The labels to train on hold one class alone; a network learns nothing from them."""


class BusyError(ActiveSegError):
    """A job runs already; wait for it or stop it."""


class ModelError(ActiveSegError):
    """A checkpoint or network cannot be used."""


class MissingExtraError(ActiveSegError):
    """An optional package is not installed."""


class StoppedError(ActiveSegError):
    """The person pressed stop; what was in use before stays in use."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """List the known names in a sentence, and suggest one that is close to ``name``."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(names)}"


def describe_disk_error(error: BaseException) -> str | None:
    """Describe an error of the disk or the system with its remedy; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return None
    if error.filename is None and error.errno == errno.ENOENT:
        return None  # without a file name there is nothing to check
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror}; {_REMEDIES[error.errno]}"
