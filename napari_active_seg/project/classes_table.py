"""The classes of a project, with every change that was ever made to them."""

from __future__ import annotations

import json
from collections.abc import Callable

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.project.database import Database
from napari_active_seg.regions import ClassRegistry, LabelSchema

__all__ = ["ClassesTable", "book_to_text"]


class ClassesTable:
    """The current class registry, and earlier ones; nothing is ever overwritten."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self.book = self._read() if database.rows("SELECT 1 FROM schemas LIMIT 1") else None

    @property
    def current(self) -> ClassRegistry:
        """The current class registry."""
        if self.book is None:
            raise NothingToDoError("this project has no classes yet")
        return self.book

    def change(self, book: ClassRegistry, *, what: str, annotator: str) -> None:
        """Make ``book`` the current registry; ``what`` describes the change."""
        rows = self._database.rows("SELECT max(number) AS latest FROM schemas")
        self._append(book, what=what, annotator=annotator, before=rows[0]["latest"])

    def undo(self, *, annotator: str) -> str:
        """Restore the registry before the latest change, and return what was undone.

        Repeated, it goes further back. A class that was added since keeps its number, so that
        what was painted with it comes back with it.
        """
        latest = self._database.rows("SELECT * FROM schemas ORDER BY number DESC LIMIT 1")[0]
        if latest["before"] is None:
            raise NothingToDoError("the classes are as they were at the beginning")
        before = self._database.rows("SELECT * FROM schemas WHERE number = ?", (latest["before"],))[
            0
        ]
        undone = str(latest["what"])
        book = _book_from_text(before["book"])
        kept = ClassRegistry(book.schema, book.uids, book.merged, self.current.next_uid)
        words = before["what"] if before["before"] is not None else "as at the beginning"
        self._append(kept, what=str(words), annotator=annotator, before=before["before"])
        return undone

    def reload(self) -> None:
        """Read the current registry again, after the table was written by other means."""
        self.book = self._read()

    def book_at(self, place: int) -> ClassRegistry:
        """Return the registry after the ``place``-th change, 0 for the first."""
        rows = self._database.rows("SELECT book FROM schemas ORDER BY number")
        return _book_from_text(rows[place]["book"])

    def history(self) -> tuple[str, ...]:
        """Return descriptions of all changes, the oldest first."""
        rows = self._database.rows("SELECT what FROM schemas ORDER BY number")
        return tuple(row["what"] for row in rows)

    def _append(
        self, book: ClassRegistry, *, what: str, annotator: str, before: int | None
    ) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO schemas (made_at, annotator, what, book, before) "
                "VALUES (?, ?, ?, ?, ?)",
                (self._clock(), annotator, what, book_to_text(book), before),
            )
        self.book = book

    def _read(self) -> ClassRegistry:
        rows = self._database.rows("SELECT book FROM schemas ORDER BY number DESC LIMIT 1")
        return _book_from_text(rows[0]["book"])


def book_to_text(book: ClassRegistry) -> str:
    """Return a registry as JSON."""
    classes = [
        {"uid": uid, "name": name, "colour": colour}
        for uid, name, colour in zip(book.uids, book.schema.names, book.schema.colours, strict=True)
    ]
    return json.dumps({"classes": classes, "merged": book.merged, "next_uid": book.next_uid})


def _book_from_text(text: str) -> ClassRegistry:
    stored = json.loads(text)
    classes = stored["classes"]
    schema = LabelSchema(tuple(c["name"] for c in classes), tuple(c["colour"] for c in classes))
    merged = tuple((int(gone), int(into)) for gone, into in stored["merged"])
    return ClassRegistry(schema, tuple(int(c["uid"]) for c in classes), merged, stored["next_uid"])
