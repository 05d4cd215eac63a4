"""A folder that appears whole or not at all, and whose writing resumes where it was stopped."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from napari_active_seg.errors import BadInputError

__all__ = ["StagingDir", "build_folder"]

#: The description of an export; by this, and by its maker, an earlier one is recognised.
CARD = "dataset.json"
MAKER = "napari-active-seg"
_REQUEST_FILE = ".request"


class StagingDir:
    """A folder under construction: each file is written whole, and but once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def once(self, name: PurePosixPath | str, write: Callable[[Path], None]) -> str:
        """Let ``write`` make the file or folder ``name``, unless it is there; return its name.

        Until it is whole it has another name, so that what a kill leaves is made again.
        """
        place = self.path / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            half = place.with_name(f".half-{place.name}")
            if half.is_dir():
                shutil.rmtree(half)
            write(half)
            half.replace(place)
        return PurePosixPath(name).as_posix()

    def text(self, name: PurePosixPath | str, text: str) -> str:
        """Write the file ``name`` and return its name."""
        return self.once(name, lambda path: _write_text(path, text))

    def drop(self, name: str) -> None:
        """Take away what was needed only on the way."""
        shutil.rmtree(self.path / name, ignore_errors=True)


@contextmanager
def build_folder(out: Path, *, request: str, overwrite: bool = False) -> Iterator[StagingDir]:
    """Yield a folder to write to that becomes ``out`` at the end.

    An interrupted export is resumed if ``request`` is the same.
    BadInputError if ``out`` has files, unless it may be overwritten: an earlier export is replaced
    then, and a folder of anything else is set aside under another name.
    """
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and (not overwrite or not out.is_dir()):
        raise BadInputError(
            f"{out} exists and is not empty; nothing was written. Choose another, or use "
            "--overwrite"
        )
    building = out.with_name(f".{out.name}.partial")
    note = building / _REQUEST_FILE
    try:
        if not note.is_file() or note.read_text(encoding="utf-8") != request:
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(parents=True)
            note.write_text(request, encoding="utf-8")
        try:
            yield StagingDir(building)
        except BadInputError:  # it will fail again: nothing to resume
            shutil.rmtree(building, ignore_errors=True)
            raise
        note.unlink()
        _put_in_place(building, out)
    except OSError as error:
        raise BadInputError(
            f"{out} could not be written: {error.strerror or error}. Run the same command "
            "again to resume"
        ) from error


def _put_in_place(building: Path, out: Path) -> None:
    before: Path | None = None
    if out.exists() and any(out.iterdir()):
        ours = _is_ours(out)
        word = "replaced" if ours else "set-aside"
        before = out.with_name(f".{out.name}.{word}") if ours else _free_name(out, word)
        if ours:
            shutil.rmtree(before, ignore_errors=True)
        out.rename(before)
        if not ours:
            before = None
    elif out.exists():
        out.rmdir()
    building.rename(out)
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)


def _is_ours(out: Path) -> bool:
    """Return whether a folder holds an earlier export: other programs write such a card too."""
    try:
        facts = json.loads((out / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("made_by") == MAKER


def _free_name(out: Path, word: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return out.with_name(f"{out.name}-{word}-{stamp}-{os.getpid()}")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
