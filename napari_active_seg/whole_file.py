"""A file that is there whole or not at all, whatever stops who writes it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(path: Path, *, lasting: bool = False) -> Iterator[Path]:
    """Give another path to write to, in a folder that is made; it takes the name in the end.

    Where anything fails what was there before stays, and what was begun goes. ``lasting`` waits
    until the disk has it, so that it outlives a power cut too.
    """
    begun = path.with_name(path.name + ".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield begun
        if lasting:
            with begun.open("rb+") as file:
                os.fsync(file.fileno())
        begun.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            begun.unlink(missing_ok=True)
        raise
