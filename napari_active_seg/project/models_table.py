"""Trained models: which there are, how each did, and which one is in use."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from napari_active_seg.errors import BadInputError, did_you_mean
from napari_active_seg.project.database import Database
from napari_active_seg.project.records import ModelRecord
from napari_active_seg.project.safe_names import safe_model_id

__all__ = ["ModelsTable"]


class ModelsTable:
    """Models of a project; their weights lie in ``models/ID.safetensors``."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def path(self, model_id: str) -> Path:
        """Return where the weights of a model are, or belong."""
        return self._folder / f"{safe_model_id(model_id)}.safetensors"

    def has_file(self, model_id: str) -> bool:
        """Return whether the weights of a model are on the disk."""
        return self.path(model_id).is_file()

    def next_id(self) -> str:
        """Return an id for the next model: m001, m002, ..."""
        rows = self._database.rows("SELECT count(*) AS n FROM models")
        return f"m{rows[0]['n'] + 1:03d}"

    def add(self, record: ModelRecord) -> None:
        """Record a model whose weights are on the disk, and use it if ``record.in_use``."""
        with self._database.transaction() as connection:
            if record.in_use:
                connection.execute("UPDATE models SET in_use = 0")
            connection.execute(
                "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.id,
                    record.created_at,
                    record.preset,
                    record.seed,
                    record.round,
                    json.dumps(record.classes),
                    record.data_hash,
                    json.dumps(dict(record.metrics)),
                    int(record.in_use),
                    json.dumps(record.class_uids),
                    json.dumps(dict(record.image_scores)),
                    record.validation_hash,
                    record.weights_hash,
                ),
            )

    def use(self, model_id: str) -> None:
        """Put an earlier model in use again."""
        known = [record.id for record in self.all()]
        if model_id not in known:
            raise BadInputError(
                f"no model {model_id!r} in this project: {did_you_mean(model_id, known)}"
            )
        with self._database.transaction() as connection:
            connection.execute("UPDATE models SET in_use = (id = ?)", (model_id,))

    def all(self) -> tuple[ModelRecord, ...]:
        """Return the models, the oldest first."""
        rows = self._database.rows("SELECT * FROM models ORDER BY created_at, id")
        return tuple(_record(row) for row in rows)

    def in_use(self) -> ModelRecord | None:
        """Return the model that predicts now; None before the first training."""
        return next((record for record in self.all() if record.in_use), None)


def _record(row: sqlite3.Row) -> ModelRecord:
    return ModelRecord(
        id=safe_model_id(row["id"]),
        created_at=row["created_at"],
        preset=row["preset"],
        seed=row["seed"],
        round=row["round"],
        classes=tuple(json.loads(row["classes"])),
        data_hash=row["data_hash"],
        metrics=json.loads(row["metrics"]),
        in_use=bool(row["in_use"]),
        class_uids=tuple(json.loads(row["class_uids"])),
        image_scores=json.loads(row["image_scores"]),
        validation_hash=row["validation_hash"],
        weights_hash=row["weights_hash"],
    )
