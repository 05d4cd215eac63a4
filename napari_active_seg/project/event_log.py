"""The event log of a project; entries are never changed."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping

from napari_active_seg.project.database import Database
from napari_active_seg.project.records import Event

__all__ = ["EventsTable", "insert_event"]


def insert_event(
    connection: sqlite3.Connection,
    *,
    at: float,
    annotator: str,
    what: str,
    subject: str,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Add an event inside the transaction that makes the change."""
    connection.execute(
        "INSERT INTO events (uid, at, annotator, what, subject, facts) VALUES (?, ?, ?, ?, ?, ?)",
        (
            uuid.uuid4().hex,
            at,
            annotator,
            what,
            subject,
            json.dumps(dict(facts or {}), sort_keys=True),
        ),
    )


def _text_of(facts: Mapping[str, object]) -> str:
    return json.dumps(dict(facts), sort_keys=True)


class EventsTable:
    """The project's event log."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add(
        self,
        what: str,
        subject: str = "",
        *,
        annotator: str = "",
        facts: Mapping[str, object] | None = None,
    ) -> None:
        """Add the event ``what`` of ``subject``."""
        with self._database.transaction() as connection:
            insert_event(
                connection,
                at=self._clock(),
                annotator=annotator,
                what=what,
                subject=subject,
                facts=facts,
            )

    def of(self, subject: str, *, what: str | None = None) -> tuple[Event, ...]:
        """Return what happened to a region, an image or a model (of one kind), oldest first."""
        if what is not None:
            return self._read("WHERE subject = ? AND what = ?", (subject, what))
        return self._read("WHERE subject = ?", (subject,))

    def named(self, what: str) -> tuple[Event, ...]:
        """Return everything of one kind that happened, the oldest first."""
        return self._read("WHERE what = ?", (what,))

    def all(self) -> tuple[Event, ...]:
        """Return everything that happened, the oldest first."""
        return self._read("", ())

    def _read(self, where: str, values: tuple[str, ...]) -> tuple[Event, ...]:
        rows = self._database.rows(f"SELECT * FROM events {where} ORDER BY number", values)  # noqa: S608
        return tuple(
            Event(
                row["at"], row["annotator"], row["what"], row["subject"], json.loads(row["facts"])
            )
            for row in rows
        )
