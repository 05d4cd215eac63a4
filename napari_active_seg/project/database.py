"""The SQLite file of a project: opened, checked, migrated, and written in whole transactions.

The journal mode is DELETE and synchronous is FULL, so that ``project.db`` alone holds every
acknowledged write and survives a power cut or being copied to a stick. Reads have a connection
of their own: they need not wait while another thread's write reaches the disk.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import ProjectError, ProjectTakenOverError
from napari_active_seg.project.migrations import SCHEMA, SCHEMA_VERSION, migrate

__all__ = ["Database"]

#: "naAS", by which ``file`` and we recognise a project among SQLite files.
_APPLICATION_ID = 0x6E614153
_HEADER_BYTES = 100


class Database:
    """One file, one writing and one reading connection; threads take turns at each.

    A connection that failed is opened again as soon as the file is there: a folder that was renamed
    for a moment, or a drive that was away, can be read and written again when it is back.
    """

    taken_over = Signal(ProjectTakenOverError)  #: emitted once, in the thread that tried to write

    def __init__(
        self, path: Path, reader: sqlite3.Connection, writer: sqlite3.Connection | None
    ) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer
        self._read_turn = threading.RLock()
        self._write_turn = threading.RLock()
        self._token: str | None = None
        self._lost: ProjectTakenOverError | None = None
        self._writer_failed = self._reader_failed = False
        self.closed = False

    @staticmethod
    def create(path: Path) -> Database:
        """Return a new database with empty tables."""
        connection = _connect(path)
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {_APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; {SCHEMA} COMMIT;"
        )
        return Database(path, _connect(path), connection)

    @staticmethod
    def open(path: Path, *, read_only: bool = False) -> Database:
        """Return the database at ``path``; ProjectError if missing, foreign, newer or damaged.

        An older one is migrated after a copy was put into ``backups/``; opened read-only, the
        migration happens in memory and the file stays as it is.
        """
        if not path.is_file():
            raise ProjectError(f"{path.parent} is not a project: it has no {path.name}")
        opened = ExitStack()  # closes what was connected, unless all goes well
        try:
            with opened:
                _check_length(path)
                connection = _connect_to_read(path) if read_only else _connect(path)
                opened.callback(connection.close)
                version = _check_version(path, connection)
                if version < SCHEMA_VERSION:
                    connection = _bring_up_to_date(path, connection, version, read_only=read_only)
                    opened.callback(connection.close)
                reader = connection if read_only else _connect(path)
                opened.pop_all()
            return Database(path, reader, None if read_only else connection)
        except (sqlite3.OperationalError, OSError) as error:
            raise ProjectError(_cannot_open(path, error, read_only=read_only)) from error
        except sqlite3.DatabaseError as error:
            raise ProjectError(_damaged(path, str(error))) from error

    def __reduce__(self) -> tuple[Callable[[Path], Database], tuple[Path]]:
        """Cross to another process as a read-only view of the same file."""
        return _to_read, (self.path,)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written through this database, or no longer."""
        return self._writer is None or self._lost is not None

    def write_as(self, token: str | None) -> None:
        """Refuse every later write unless the writer's place still holds ``token``."""
        self._token = token

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a transaction that is kept whole or not at all."""
        with self._write_turn:
            self._check_open()
            writer = self._usable_writer()
            try:
                writer.execute("BEGIN IMMEDIATE")
                self._check_not_taken_over(writer)
                yield writer
                writer.execute("COMMIT")
            except sqlite3.Error as error:
                self._writer_failed = True
                _roll_back(writer)
                raise ProjectError(_not_written(self.path, error)) from error
            except BaseException as error:
                _roll_back(writer)
                if isinstance(error, ProjectTakenOverError) and self._lost is None:
                    self._lost = error
                    self.taken_over.emit(error)
                raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._read_turn:
            self._check_open()
            if self._reader_failed and self.path.is_file():
                self._open_reader_again()
            try:
                return self._reader.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                self._reader_failed = True
                raise ProjectError(
                    f"{self.path} could not be read ({error}); restore the folder from a copy"
                ) from error

    def check_writer(self) -> None:
        """Find out whether somebody else writes now; ``taken_over`` is emitted if so."""
        if self._token is not None and not self.read_only:
            with suppress(ProjectError), self.transaction():
                pass  # beginning a transaction is the check

    def copy_to(self, path: Path) -> None:
        """Write a whole and consistent copy of the database to ``path``."""
        with self._read_turn:
            self._check_open()
            _copy(self._reader, path)

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        with self._write_turn, self._read_turn:
            self.closed = True
            self._reader.close()
            if self._writer is not None:
                self._writer.close()

    def _check_open(self) -> None:
        """Raise ProjectError once this was closed: what failed before would be opened again."""
        if self.closed:
            raise ProjectError(
                f"{self.path.parent} is closed here, and so is its session; open it again "
                "(open_session, or Project.open)"
            )

    def _usable_writer(self) -> sqlite3.Connection:
        """Return the writing connection, opened again where the last write failed."""
        if self._lost is not None:
            raise self._lost
        writer = self._writer
        if writer is None:
            raise ProjectError(
                f"{self.path.parent} was opened read-only; nothing was changed. "
                "Open it for writing once nobody else does"
            )
        if self._writer_failed and self.path.is_file():
            with suppress(sqlite3.Error):  # where this fails too, the old one raises the reason
                opened = _connect(self.path)
                writer.close()
                self._writer = writer = opened
                self._writer_failed = False
                self._reader_failed = True  # it may still read the file that was here before
        return writer

    def _open_reader_again(self) -> None:
        with suppress(sqlite3.Error, OSError):
            opened = _connect_to_read(self.path) if self._writer is None else _connect(self.path)
            self._reader.close()
            self._reader = opened
            self._reader_failed = False

    def _check_not_taken_over(self, writer: sqlite3.Connection) -> None:
        if self._token is None:
            return
        row = writer.execute("SELECT token, user, host, pid FROM writer").fetchone()
        if row is None or row["token"] != self._token:
            who = "somebody else" if row is None else _who(row)
            raise ProjectTakenOverError(
                f"{self.path.parent} was taken over by {who}; it is read-only here from now on. "
                "To write again, close it there and open it here again",
                by=who,
            )


def _who(writer: sqlite3.Row) -> str:
    """Return who holds the place of the writer, for a person."""
    if writer["host"] != socket.gethostname():
        return f"{writer['user']} on {writer['host']}"
    if writer["pid"] == os.getpid():
        return "another window of this program"
    return f"{writer['user']} in another program on this machine"


def _to_read(path: Path) -> Database:
    return Database.open(path, read_only=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, though a writer may have died in mid-write.

    What such a writer left half-written has to be taken back before anything can be read: in
    place where the folder allows, else in a copy that lives in memory.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None,
        timeout=10.0,
    )  # fmt: skip
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return _recover_in_memory(path)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _recover_in_memory(path: Path) -> sqlite3.Connection:
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / path.name
        shutil.copyfile(path, copy)
        journal = path.with_name(path.name + "-journal")
        if journal.is_file():
            shutil.copyfile(journal, copy.with_name(journal.name))
        with closing(_connect(copy)) as recovered:
            return _in_memory(recovered)


def _in_memory(connection: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    memory.row_factory = sqlite3.Row
    try:
        connection.backup(memory)
    except sqlite3.Error:
        memory.close()
        raise
    return memory


def _check_length(path: Path) -> None:
    """Raise ProjectError if the file is shorter than its header states.

    SQLite itself would notice only when it comes to a page that is not there.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    hot_journal = path.with_name(path.name + "-journal").is_file()
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        if not hot_journal:
            raise ProjectError(_damaged(path, "it does not begin like a database"))
        return
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    size, wanted = path.stat().st_size, (65536 if page == 1 else page) * pages
    if size < wanted and not hot_journal:
        raise ProjectError(_damaged(path, f"{size:,} bytes are there of {wanted:,}"))


def _check_version(path: Path, connection: sqlite3.Connection) -> int:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != _APPLICATION_ID:
        raise ProjectError(f"{path} belongs to another program; choose a project folder")
    if version > SCHEMA_VERSION:
        raise ProjectError(
            f"{path.parent} was written by a newer version of napari-active-seg "
            f"(schema {version}, this one knows {SCHEMA_VERSION}); update the program"
        )
    return version


def _bring_up_to_date(
    path: Path, connection: sqlite3.Connection, version: int, *, read_only: bool
) -> sqlite3.Connection:
    if read_only:
        memory = _in_memory(connection)
        connection.close()
        connection = memory
    else:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        backups = path.with_name("backups")
        try:
            backups.mkdir(exist_ok=True)
        except OSError as error:
            raise ProjectError(
                f"{backups} could not be made ({error.strerror or error}), and without a copy an "
                "older project is not changed; open it read-only, or free the folder for writing"
            ) from error
        _copy(connection, backups / f"project-schema{version}-{stamp}.db")
    try:
        migrate(connection, version)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """Write a copy to ``path``; half a copy never bears that name."""
    with atomic_write(path, lasting=True) as begun:
        begun.unlink(missing_ok=True)
        target = sqlite3.connect(begun)
        try:
            source.backup(target)
        finally:
            target.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # of a file that is gone; closing the connection does the same
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _not_written(path: Path, error: Exception) -> str:
    if not path.is_file():
        return (
            f"{path} could not be written: it is not there. Was the folder renamed, or its drive "
            "disconnected? Put it back; labels that are not saved yet are kept until then"
        )
    return (
        f"{path} could not be written ({error}); nothing of this step was kept. "
        "Free disk space or check that the folder may be written to"
    )


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged ({why}); nothing was changed. Put a copy of the folder back, or a file "
        f"of {path.with_name('backups')} in its place"
    )


def _cannot_open(path: Path, error: Exception, *, read_only: bool) -> str:
    remedy = "check that it may be read" if read_only else "open it read-only, or free it"
    return f"{path} cannot be opened ({error}); {remedy}"
