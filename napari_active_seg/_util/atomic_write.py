"""A file that is there whole or not at all, whatever stops who writes it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_write"]


@contextlib.contextmanager
def atomic_write(path: Path, *, lasting: bool = False, root: Path | None = None) -> Iterator[Path]:
    """Give another path to write to, in a folder that is made; it takes the name in the end.

    Where anything fails what was there before stays, and what was begun goes. ``lasting`` waits
    until the disk has it, so that it outlives a power cut too. FileNotFoundError if ``root`` is not
    there: a project folder that is away must not be made a second time in its place.
    """
    begun = path.with_name(path.name + ".new")
    if root is not None and not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
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
