"""Every label that was ever saved: a save is added, none is changed or taken away."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import BadInputError, NothingToDoError
from napari_active_seg.project.classes_table import ClassesTable
from napari_active_seg.project.database import Database
from napari_active_seg.project.records import SavedLabel
from napari_active_seg.project.regions_table import RegionsTable, write_state
from napari_active_seg.project.serialization import (
    objects_from_blob,
    objects_to_blob,
    target_from_blob,
    target_to_blob,
)
from napari_active_seg.regions import (
    Effort,
    RegionLabel,
    RegionState,
    fill_outside_shape,
    find_strongest_start,
)

__all__ = ["TAKEN_BACK", "LabelsTable", "insert_label"]

#: How the note of a save begins that repeats an earlier one; the uid of that one follows.
TAKEN_BACK = "taken back to "


def insert_label(
    connection: sqlite3.Connection,
    region_id: str,
    blob: bytes,
    *,
    at: float,
    annotator: str,
    effort: Effort,
    state: RegionState | None,
    note: str = "",
    uid: str | None = None,
    objects: bytes | None = None,
) -> str:
    """Add a save inside a transaction and return its uid."""
    uid = uid or uuid.uuid4().hex
    connection.execute(
        "INSERT INTO labels (region_id, saved_at, annotator, target, active_s, idle_s, strokes, "
        "clicks, undos, changed_px, uid, state, note, objects, begun) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            region_id,
            at,
            annotator,
            blob,
            effort.active_s,
            effort.idle_s,
            effort.strokes,
            effort.clicks,
            effort.undos,
            effort.changed_px,
            uid,
            state,
            note,
            objects,
            effort.begun,
        ),
    )
    return uid


class LabelsTable:
    """The labels of regions, with their history, in the current classes."""

    def __init__(
        self,
        database: Database,
        regions: RegionsTable,
        classes: ClassesTable,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._regions = regions
        self._classes = classes
        self._clock = clock

    def save(
        self,
        region_id: str,
        target: NDArray[np.uint8],
        *,
        state: RegionState,
        annotator: str,
        effort: Effort,
        note: str = "",
        objects: NDArray[np.int32] | None = None,
    ) -> str:
        """Append a version of a region's label; when this returns it is on the disk.

        ``effort`` is what has been spent since the version before. ``objects`` numbers the objects
        where they are separated. What lies outside the region's shape is not kept. The uid of the
        save comes back.
        """
        queued = self._regions.get(region_id)
        region = queued.region
        if target.shape != region.shape or (objects is not None and objects.shape != target.shape):
            raise BadInputError(
                f"the label of region {region_id} must be {region.shape}, got {target.shape}"
            )
        target = fill_outside_shape(target, queued.shape)
        if objects is not None and queued.shape is not None:
            objects = np.where(queued.shape.mask, objects, np.int32(0))
        book = self._classes.current
        before = self._stored(region_id) if book.merged else None
        blob = target_to_blob(book.to_stored(target, before))
        at = self._clock()
        with self._database.transaction() as connection:
            uid = insert_label(
                connection, region_id, blob, at=at, annotator=annotator, effort=effort,
                state=state, note=note,
                objects=None if objects is None else objects_to_blob(objects),
            )  # fmt: skip
            write_state(connection, region_id, state, at=at, annotator=annotator)
        return uid

    def latest(self, region_id: str) -> RegionLabel | None:
        """Return the latest label of a region with its summed effort; None if never saved."""
        history = self.history(region_id)
        if not history:
            return None
        queued = self._regions.get(region_id)
        spent = sum((saved.effort for saved in history), Effort())
        newest = history[-1]
        return RegionLabel(
            queued.region,
            self.get_target(newest.uid),
            queued.state,
            newest.annotator,
            spent,
            self.get_objects(newest.uid),
        )

    def history(self, region_id: str) -> tuple[SavedLabel, ...]:
        """Return every save of a region, the oldest first."""
        rows = self._database.rows(
            "SELECT uid, region_id, saved_at, annotator, state, note, active_s, idle_s, strokes, "
            "clicks, undos, changed_px, begun FROM labels WHERE region_id = ? ORDER BY number",
            (region_id,),
        )
        return tuple(_saved(row) for row in rows)

    def saves(self) -> tuple[SavedLabel, ...]:
        """Return every save of every region, the oldest first."""
        rows = self._database.rows(
            "SELECT uid, region_id, saved_at, annotator, state, note, active_s, idle_s, strokes, "
            "clicks, undos, changed_px, begun FROM labels ORDER BY saved_at, number"
        )
        return tuple(_saved(row) for row in rows)

    def efforts(self) -> tuple[SavedLabel, ...]:
        """Return the latest save of each region with all effort that went into it, oldest first."""
        rows = self._database.rows(
            "SELECT uid, region_id, saved_at, annotator, state, note, spent.* FROM labels JOIN ("
            "SELECT max(number) AS newest, sum(active_s) AS active_s, sum(idle_s) AS idle_s, "
            "sum(strokes) AS strokes, sum(clicks) AS clicks, sum(undos) AS undos, "
            "sum(changed_px) AS changed_px, group_concat(DISTINCT begun) AS begun "
            "FROM labels GROUP BY region_id"
            ") AS spent ON number = newest ORDER BY saved_at, number"
        )
        return tuple(_saved(row) for row in rows)

    def get_target(self, uid: str) -> NDArray[np.uint8]:
        """Return the target (H, W) of one save, in the current classes."""
        rows = self._database.rows("SELECT target FROM labels WHERE uid = ?", (uid,))
        if not rows:
            raise BadInputError(f"no save {uid!r} in this project")
        return self._classes.current.to_target(target_from_blob(rows[0]["target"]))

    def restore(self, region_id: str, uid: str, *, annotator: str) -> None:
        """Make an earlier save the latest again; what came after it stays in the history."""
        saved = {save.uid: save for save in self.history(region_id)}
        if uid not in saved:
            raise BadInputError(f"region {region_id} has no save {uid!r}; see its history")
        if next(reversed(saved)) == uid:
            raise NothingToDoError("this save is the latest already")
        rows = self._database.rows("SELECT target, objects FROM labels WHERE uid = ?", (uid,))
        target_from_blob(rows[0]["target"])  # a damaged save is not worth going back to
        at = self._clock()
        state = saved[uid].state or RegionState.IN_PROGRESS
        with self._database.transaction() as connection:
            insert_label(
                connection, region_id, rows[0]["target"], at=at, annotator=annotator,
                effort=Effort(), state=state, note=f"{TAKEN_BACK}{uid}",
                objects=rows[0]["objects"],
            )  # fmt: skip
            write_state(connection, region_id, state, at=at, annotator=annotator)

    def done(
        self, image_ids: Sequence[str], *, without: Collection[RegionKind] = ()
    ) -> tuple[RegionLabel, ...]:
        """Return the labels of the finished regions of ``image_ids``, in queue order.

        Regions of the kinds ``without`` are left out.
        """
        wanted = set(image_ids)
        labels = (
            self.latest(queued.id)
            for queued in self._regions.queue()
            if queued.state is RegionState.DONE
            and queued.region.image_id in wanted
            and queued.kind not in without
        )
        return tuple(label for label in labels if label is not None)

    def annotators(self) -> tuple[str, ...]:
        """Return the names of all who saved a label."""
        rows = self._database.rows("SELECT DISTINCT annotator FROM labels ORDER BY annotator")
        return tuple(row["annotator"] for row in rows)

    def get_objects(self, uid: str) -> NDArray[np.int32] | None:
        """Return the ids (H, W) of objects of one save; None where they are not separated."""
        rows = self._database.rows("SELECT objects FROM labels WHERE uid = ?", (uid,))
        blob = rows[0]["objects"]
        return None if blob is None else objects_from_blob(blob)

    def _stored(self, region_id: str) -> NDArray[np.uint8] | None:
        rows = self._database.rows(
            "SELECT target FROM labels WHERE region_id = ? ORDER BY number DESC LIMIT 1",
            (region_id,),
        )
        return target_from_blob(rows[0]["target"]) if rows else None


def _saved(row: sqlite3.Row) -> SavedLabel:
    return SavedLabel(
        uid=row["uid"],
        region_id=row["region_id"],
        saved_at=row["saved_at"],
        annotator=row["annotator"],
        state=None if row["state"] is None else RegionState(row["state"]),
        note=row["note"],
        effort=Effort(
            row["active_s"],
            row["idle_s"],
            row["strokes"],
            row["clicks"],
            row["undos"],
            row["changed_px"],
            find_strongest_start(row["begun"].split(",")),
        ),
    )
