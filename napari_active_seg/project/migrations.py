"""The tables of ``project.db``, and how those of an older program become them.

A project of schema n is brought to n + 1 by one function each, all inside one transaction, after
a copy of the old file was saved next to it. ``SCHEMA`` is what a new project begins with; a test
holds that an old project migrated has the same tables.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable

__all__ = ["MIGRATIONS", "SCHEMA", "SCHEMA_VERSION", "migrate"]

SCHEMA_VERSION = 7
SCHEMA = """
CREATE TABLE schemas (
    number INTEGER PRIMARY KEY AUTOINCREMENT, made_at REAL NOT NULL, annotator TEXT NOT NULL,
    what TEXT NOT NULL, book TEXT NOT NULL, before INTEGER REFERENCES schemas (number)
);
CREATE TABLE images (
    id TEXT PRIMARY KEY, relative_path TEXT NOT NULL, height INTEGER NOT NULL,
    width INTEGER NOT NULL, spacing_y REAL, spacing_x REAL, fingerprint TEXT NOT NULL,
    split TEXT NOT NULL, group_name TEXT, split_from TEXT NOT NULL DEFAULT 'drawn',
    white INTEGER
);
CREATE TABLE tissue (
    image_id TEXT PRIMARY KEY REFERENCES images (id), edited_at REAL NOT NULL,
    annotator TEXT NOT NULL, mask BLOB NOT NULL
);
CREATE TABLE models (
    id TEXT PRIMARY KEY, created_at REAL NOT NULL, preset TEXT NOT NULL, seed INTEGER NOT NULL,
    round INTEGER NOT NULL, classes TEXT NOT NULL, data_hash TEXT NOT NULL, metrics TEXT NOT NULL,
    in_use INTEGER NOT NULL, class_uids TEXT NOT NULL DEFAULT '[]',
    image_scores TEXT NOT NULL DEFAULT '{}', validation_hash TEXT NOT NULL DEFAULT '',
    weights_hash TEXT NOT NULL DEFAULT ''
);
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY, created_at REAL NOT NULL, round INTEGER NOT NULL,
    strategy TEXT NOT NULL, budget INTEGER NOT NULL, seed INTEGER NOT NULL,
    model_id TEXT, config_hash TEXT NOT NULL, uid TEXT, notes TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE regions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    proposal_id INTEGER REFERENCES proposals (id), image_id TEXT NOT NULL REFERENCES images (id),
    y INTEGER NOT NULL, x INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    kind TEXT NOT NULL, state TEXT NOT NULL, round INTEGER NOT NULL, information REAL NOT NULL,
    cost REAL NOT NULL, reason TEXT NOT NULL, draw_probability REAL, drawn_from INTEGER NOT NULL,
    state_at REAL NOT NULL DEFAULT 0, shape BLOB, placed_by TEXT NOT NULL DEFAULT '',
    queued_after TEXT
);
CREATE TABLE labels (
    number INTEGER PRIMARY KEY AUTOINCREMENT, region_id TEXT NOT NULL REFERENCES regions (id),
    saved_at REAL NOT NULL, annotator TEXT NOT NULL, target BLOB NOT NULL, active_s REAL NOT NULL,
    idle_s REAL NOT NULL, strokes INTEGER NOT NULL, clicks INTEGER NOT NULL,
    undos INTEGER NOT NULL, changed_px INTEGER NOT NULL, uid TEXT, state TEXT,
    note TEXT NOT NULL DEFAULT '', objects BLOB, begun TEXT NOT NULL DEFAULT ''
);
CREATE INDEX labels_by_region ON labels (region_id, number);
CREATE UNIQUE INDEX labels_by_uid ON labels (uid);
CREATE UNIQUE INDEX proposals_by_uid ON proposals (uid);
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, at REAL NOT NULL,
    annotator TEXT NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE INDEX events_by_subject ON events (subject, number);
CREATE TABLE writer (
    place INTEGER PRIMARY KEY CHECK (place = 1), token TEXT NOT NULL, host TEXT NOT NULL,
    user TEXT NOT NULL, pid INTEGER NOT NULL, process_started REAL NOT NULL, since REAL NOT NULL,
    folder TEXT NOT NULL
);
"""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from ``version`` to SCHEMA_VERSION, in one transaction or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, SCHEMA_VERSION):
            MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _from_1_to_2(connection: sqlite3.Connection) -> None:
    """Bring class history, groups, tissue, events, the writer's place and uids for merging."""
    for table, column in (
        ("images", "group_name TEXT"),
        ("images", "split_from TEXT NOT NULL DEFAULT 'drawn'"),
        ("images", "white INTEGER"),
        ("models", "class_uids TEXT NOT NULL DEFAULT '[]'"),
        ("proposals", "uid TEXT"),
        ("regions", "state_at REAL NOT NULL DEFAULT 0"),
        ("labels", "uid TEXT"),
        ("labels", "state TEXT"),
        ("labels", "note TEXT NOT NULL DEFAULT ''"),
    ):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    for statement in _statements_for("schemas", "tissue", "labels_by_uid", "proposals_by_uid"):
        connection.execute(statement)
    for statement in _statements_for("events", "events_by_subject", "writer"):
        connection.execute(statement)
    rows = connection.execute("SELECT uid, name, colour FROM classes ORDER BY position").fetchall()
    book = {
        "classes": [{"uid": uid, "name": name, "colour": colour} for uid, name, colour in rows],
        "merged": [],
        "next_uid": max(uid for uid, _, _ in rows) + 1,
    }
    connection.execute(
        "INSERT INTO schemas (made_at, annotator, what, book, before) VALUES (0, '', ?, ?, NULL)",
        ("taken over from an older version", json.dumps(book)),
    )
    connection.execute("UPDATE models SET class_uids = ?", (json.dumps([r[0] for r in rows]),))
    connection.execute("DROP TABLE classes")
    _give_uids(connection)


def _from_2_to_3(connection: sqlite3.Connection) -> None:
    """Bring the ids of objects, where a label separates them."""
    connection.execute("ALTER TABLE labels ADD COLUMN objects BLOB")


def _from_3_to_4(connection: sqlite3.Connection) -> None:
    """Bring the scores of single validation images, so that models can be compared."""
    connection.execute("ALTER TABLE models ADD COLUMN image_scores TEXT NOT NULL DEFAULT '{}'")
    connection.execute("ALTER TABLE models ADD COLUMN validation_hash TEXT NOT NULL DEFAULT ''")


def _from_4_to_5(connection: sqlite3.Connection) -> None:
    """Bring shapes of regions that are not rectangles, and notes of a proposal."""
    connection.execute("ALTER TABLE regions ADD COLUMN shape BLOB")
    connection.execute("ALTER TABLE proposals ADD COLUMN notes TEXT NOT NULL DEFAULT '[]'")


def _from_5_to_6(connection: sqlite3.Connection) -> None:
    """Bring what a person began with: the prediction as a draft, or nothing."""
    connection.execute("ALTER TABLE labels ADD COLUMN begun TEXT NOT NULL DEFAULT ''")


def _from_6_to_7(connection: sqlite3.Connection) -> None:
    """Add who placed a region by hand, what it follows in the queue, and hashes of weights.

    Older programs do not know the kind of such regions.
    """
    connection.execute("ALTER TABLE models ADD COLUMN weights_hash TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE regions ADD COLUMN placed_by TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE regions ADD COLUMN queued_after TEXT")


def _give_uids(connection: sqlite3.Connection) -> None:
    """Name old rows by their content, so that two copies of a project name them alike."""
    labels = connection.execute(
        "SELECT number, region_id, saved_at, annotator, target FROM labels"
    ).fetchall()
    for number, *content in labels:
        name = hashlib.sha256(repr((number, *content)).encode()).hexdigest()[:32]
        connection.execute("UPDATE labels SET uid = ? WHERE number = ?", (name, number))
    proposals = connection.execute("SELECT id, created_at, seed, round FROM proposals").fetchall()
    for key, *content in proposals:
        name = hashlib.sha256(repr((key, *content)).encode()).hexdigest()[:32]
        connection.execute("UPDATE proposals SET uid = ? WHERE id = ?", (name, key))


def _statements_for(*names: str) -> list[str]:
    statements = [statement.strip() for statement in SCHEMA.split(";") if statement.strip()]
    by_name = {statement.replace("UNIQUE ", "").split()[2]: statement for statement in statements}
    return [by_name[name] for name in names]


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _from_1_to_2,
    2: _from_2_to_3,
    3: _from_3_to_4,
    4: _from_4_to_5,
    5: _from_5_to_6,
    6: _from_6_to_7,
}
