"""What a job failed of that nobody foresaw: written down whole, told in a sentence."""

from __future__ import annotations

import logging
import platform
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from napari_active_seg._version import __version__
from napari_active_seg.errors import ActiveSegError

__all__ = ["JobFailedError", "explained"]

_log = logging.getLogger(__name__)
#: Older reports of the same project are removed beyond this number.
_KEPT = 20


class JobFailedError(ActiveSegError):
    """A job ended with an error that is not a person's to prevent."""


def explained(error: BaseException, job: str, folder: Path) -> BaseException:
    """Return the error as it can be told: itself, where it carries a remedy.

    Any other is written to a file below ``folder`` and told with the file's place.
    """
    if isinstance(error, ActiveSegError):
        return error
    path = _written(error, job, folder / "logs")
    where = "it could not be written down" if path is None else f"the whole report is in {path}"
    told = JobFailedError(
        f"{job} failed: {type(error).__name__}: {_first_line(error)}. Nothing was lost, and the "
        f"model in use stays. Try again; if it comes back, {where}"
    )
    told.__cause__ = error
    return told


def _written(error: BaseException, job: str, folder: Path) -> Path | None:
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
