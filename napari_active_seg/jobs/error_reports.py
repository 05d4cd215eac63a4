"""Unexpected errors of jobs: saved with their traceback, and summarised in a sentence."""

from __future__ import annotations

import logging
import platform
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from napari_active_seg._version import __version__
from napari_active_seg.errors import ActiveSegError

__all__ = ["JobFailedError", "explain_error"]

_log = logging.getLogger(__name__)
#: Older reports of the same project are removed beyond this number.
_KEPT = 20


class JobFailedError(ActiveSegError):
    """A job ended with an error that is not a person's to prevent."""


def explain_error(error: BaseException, job: str, folder: Path) -> BaseException:
    """Return an error with a message for a person: itself, where it carries a remedy.

    Any other is saved to a file below ``folder``, which the message names.
    """
    if isinstance(error, ActiveSegError):
        return error
    path = _write_report(error, job, folder / "logs")
    where = "no report could be saved" if path is None else f"the whole report is in {path}"
    reported = JobFailedError(
        f"{job} failed: {type(error).__name__}: {_first_line(error)}. Nothing was lost, and the "
        f"model in use stays. Try again; if it comes back, {where}"
    )
    reported.__cause__ = error
    return reported


def _write_report(error: BaseException, job: str, folder: Path) -> Path | None:
    """Return where the report is: in ``folder``, or where temporary files go."""
    now = datetime.now(UTC)
    name = f"{now:%Y-%m-%d-%H%M%S}-{job.replace(' ', '-')}.log"
    notes = "\n".join(getattr(error, "__notes__", ()))
    text = (
        f"napari-active-seg {__version__}, Python {platform.python_version()}, "
        f"{platform.platform()}\n{now.isoformat()}\n{job}\n\n"
        + "".join(traceback.format_exception(error))
        + (f"\nin the other process:\n{notes}\n" if notes else "")
    )
    for place in (folder, Path(tempfile.gettempdir()) / "napari-active-seg-logs"):
        try:
            place.parent.stat()  # a project folder that is away is not made again
            place.mkdir(exist_ok=True)
            path = place / name
            path.write_text(text, encoding="utf-8")
            for old in sorted(place.glob("*.log"))[:-_KEPT]:
                old.unlink(missing_ok=True)
        except OSError as not_written:
            _log.warning("no report below %s: %s", place, not_written)
            continue
        return path
    return None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else "no words"
