"""The SQLite file of a project: opened, checked, and written in whole transactions.

The journal mode is DELETE and synchronous is FULL, so that ``project.db`` alone holds every
acknowledged write and survives a power cut or being copied to a stick.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_active_seg.errors import ProjectError

__all__ = ["Database"]

#: "naAS", so that ``file`` and we can tell a project from any other SQLite file.
_APPLICATION_ID = 0x6E614153
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE classes (
    uid INTEGER PRIMARY KEY, name TEXT NOT NULL, colour TEXT NOT NULL, position INTEGER NOT NULL
);
CREATE TABLE images (
    id TEXT PRIMARY KEY, relative_path TEXT NOT NULL, height INTEGER NOT NULL,
    width INTEGER NOT NULL, spacing_y REAL, spacing_x REAL, fingerprint TEXT NOT NULL,
    split TEXT NOT NULL
);
CREATE TABLE models (
    id TEXT PRIMARY KEY, created_at REAL NOT NULL, preset TEXT NOT NULL, seed INTEGER NOT NULL,
    round INTEGER NOT NULL, classes TEXT NOT NULL, data_hash TEXT NOT NULL, metrics TEXT NOT NULL,
    in_use INTEGER NOT NULL
);
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY, created_at REAL NOT NULL, round INTEGER NOT NULL,
    strategy TEXT NOT NULL, budget INTEGER NOT NULL, seed INTEGER NOT NULL,
    model_id TEXT, config_hash TEXT NOT NULL
);
CREATE TABLE regions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    proposal_id INTEGER REFERENCES proposals (id), image_id TEXT NOT NULL REFERENCES images (id),
    y INTEGER NOT NULL, x INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    kind TEXT NOT NULL, state TEXT NOT NULL, round INTEGER NOT NULL, information REAL NOT NULL,
    cost REAL NOT NULL, reason TEXT NOT NULL, draw_probability REAL, drawn_from INTEGER NOT NULL
);
CREATE TABLE labels (
    number INTEGER PRIMARY KEY AUTOINCREMENT, region_id TEXT NOT NULL REFERENCES regions (id),
    saved_at REAL NOT NULL, annotator TEXT NOT NULL, target BLOB NOT NULL, active_s REAL NOT NULL,
    idle_s REAL NOT NULL, strokes INTEGER NOT NULL, clicks INTEGER NOT NULL,
    undos INTEGER NOT NULL, changed_px INTEGER NOT NULL
);
CREATE INDEX labels_by_region ON labels (region_id, number);
"""


class Database:
    """One connection that threads take turns at."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._turn = threading.RLock()

    @staticmethod
    def create(path: Path) -> Database:
        """Return a new database with empty tables."""
        database = Database(path, _connect(path))
        connection = database._connection
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {_APPLICATION_ID}; "
            f"PRAGMA user_version = {_SCHEMA_VERSION}; {_SCHEMA} COMMIT;"
        )
        return database

    @staticmethod
    def open(path: Path) -> Database:
        """Return the database at ``path``; ProjectError if missing, foreign, newer or damaged."""
        if not path.is_file():
            raise ProjectError(f"{path.parent} is no project: it has no {path.name}")
        try:
            connection = _connect(path)
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise ProjectError(
                f"{path} is damaged ({error}); restore the folder from a copy"
            ) from error
        if application != _APPLICATION_ID:
            connection.close()
            raise ProjectError(f"{path} belongs to another program; choose a project folder")
        if version > _SCHEMA_VERSION:
            connection.close()
            raise ProjectError(
                f"{path.parent} was written by a newer version of napari-active-seg "
                f"(schema {version}, this one knows {_SCHEMA_VERSION}); update the program"
            )
        return Database(path, connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a transaction that is kept whole or not at all."""
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise ProjectError(
                    f"{self._path} could not be written ({error}); nothing of this step was kept. "
                    "Free disk space or check that the folder may be written to"
                ) from error
            except BaseException:
                self._roll_back()
                raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._turn:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise ProjectError(
                    f"{self._path} could not be read ({error}); restore the folder from a copy"
                ) from error

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        with self._turn:
            self._connection.close()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
