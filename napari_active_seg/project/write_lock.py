"""The write lock of a project: a row of the database that one process holds.

Taking the place is one SQLite transaction, so two processes cannot both get it, on any system.
The holder is recognised as gone when its process is (a number reused by another process does
not count: the start time is compared), or when the folder that it held is another one: then this
is a copy. A holder on another machine cannot be checked, so the person decides.
Every later transaction looks whether the place is still ours: after a take-over the old window
is refused instead of both writing.
"""

from __future__ import annotations

import getpass
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from napari_active_seg.errors import ProjectError, ProjectHeldError, ProjectNotWritableError
from napari_active_seg.project.database import Database

__all__ = ["LockHolder", "acquire_write_lock", "current_holder", "release_write_lock"]

#: Part of SQLite's message about a file or a folder that may not be written to.
_READ_ONLY = "readonly"
#: Two readings of a process's start differ by rounding, not by more.
_SAME_START_S = 2.0


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who writes to a project."""

    token: str
    host: str
    user: str
    pid: int
    process_started: float
    since: float
    folder: str

    @property
    def is_on_this_machine(self) -> bool:
        """Whether its process runs on this machine, so that it can be checked whether it lives."""
        return self.host == socket.gethostname()

    @property
    def description(self) -> str:
        """Name, machine and start of the holder."""
        since = datetime.fromtimestamp(self.since, UTC).astimezone().strftime("%d %b %H:%M")
        here = self.is_on_this_machine
        if here and self.pid == os.getpid():
            return f"this very program (another window or session, since {since})"
        place = "this machine" if here else self.host
        return f"{self.user} on {place} (process {self.pid}, since {since})"


def acquire_write_lock(
    database: Database, folder: Path, *, take_over: bool = False
) -> LockHolder | None:
    """Acquire the write lock; return the gone holder whose lock was taken, if any.

    ProjectHeldError if a live process holds it, or one on another machine, unless
    ``take_over`` is set.
    """
    ours = _ourselves(folder)
    with _check_writable(folder), database.transaction() as connection:
        holder = _read(connection)
        if holder is not None and not take_over and _may_be_alive(holder, folder):
            raise ProjectHeldError(
                f"{folder} is open for writing: {holder.description} holds it. "
                f"Open it read-only, or close it there{_for_other_hosts(holder)}",
                holder=holder.description,
            )
        connection.execute(
            "INSERT OR REPLACE INTO writer VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (
                ours.token,
                ours.host,
                ours.user,
                ours.pid,
                ours.process_started,
                ours.since,
                ours.folder,
            ),
        )
    database.write_as(ours.token)
    return holder


@contextmanager
def _check_writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except ProjectHeldError:
        raise
    except ProjectError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.OperationalError) and _READ_ONLY in str(cause):
            raise ProjectNotWritableError(
                f"{folder} could not be written: it may not be written to. Open it read-only, or "
                "check the rights of the folder and the drive"
            ) from cause
        raise


def release_write_lock(database: Database) -> None:
    """Release the write lock, unless another process has taken it over."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM writer")


def current_holder(database: Database, folder: Path) -> LockHolder | None:
    """Return who writes now; None if nobody does any more."""
    rows = database.rows("SELECT * FROM writer")
    holder = _holder(rows[0]) if rows else None
    return holder if holder is not None and _may_be_alive(holder, folder) else None


def _ourselves(folder: Path) -> LockHolder:
    return LockHolder(
        token=uuid.uuid4().hex,
        host=socket.gethostname(),
        user=_user(),
        pid=os.getpid(),
        process_started=psutil.Process().create_time(),
        since=time.time(),
        folder=str(folder),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in containers
        return "somebody"


def _read(connection: sqlite3.Connection) -> LockHolder | None:
    row = connection.execute("SELECT * FROM writer").fetchone()
    return None if row is None else _holder(row)


def _holder(row: sqlite3.Row) -> LockHolder:
    return LockHolder(**{key: row[key] for key in row.keys() if key != "place"})  # noqa: SIM118


def _may_be_alive(holder: LockHolder, folder: Path) -> bool:
    if _is_copy(holder, folder):
        return False
    if holder.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(holder.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - holder.process_started) < _SAME_START_S
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def _is_copy(holder: LockHolder, folder: Path) -> bool:
    """Return whether the holder holds another folder that is still there: this is its copy."""
    theirs = Path(holder.folder)
    if holder.host != socket.gethostname():
        return False
    try:
        return theirs.exists() and not theirs.samefile(folder)
    except OSError:
        return False


def _for_other_hosts(holder: LockHolder) -> str:
    if holder.host == socket.gethostname():
        return ""
    return (
        f"; if the program on {holder.host} is gone (the drive was unplugged, the machine "
        "switched off), take the project over (napari-active-seg unlock)"
    )
