"""Rows of another copy of a project on their way into this one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

__all__ = ["in_names_of", "insert_row"]

#: Facts of an event that name a model.
_NAMES_A_MODEL = ("model", "with")


def insert_row(
    connection: sqlite3.Connection, table: str, row: sqlite3.Row, **changed: object
) -> int:
    """Copy a row of theirs into our ``table`` with some values changed; its key comes back."""
    values = {key: row[key] for key in row.keys()} | changed  # noqa: SIM118
    columns, places = ", ".join(values), ", ".join("?" * len(values))
    cursor = connection.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608
        tuple(values.values()),
    )
    return int(cursor.lastrowid or 0)


def in_names_of(event: sqlite3.Row, model_ids: Mapping[str, str]) -> dict[str, object]:
    """Return what changes of an event where its models are known by other names here."""
    facts = json.loads(event["facts"])
    named = {k: facts[k] for k in _NAMES_A_MODEL if facts.get(k) in model_ids}
    renamed = {k: model_ids[name] for k, name in named.items()}
    if renamed == named:
        return {}
    changed: dict[str, object] = {"facts": json.dumps({**facts, **renamed}, sort_keys=True)}
    if event["subject"] == facts.get("model"):
        changed["subject"] = renamed["model"]
    return changed
