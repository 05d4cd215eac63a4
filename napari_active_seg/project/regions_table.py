"""Proposals, the queue of regions, and every label that was ever saved."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import Proposal, RegionKind, ScoredRegion
from napari_active_seg.errors import BadInputError
from napari_active_seg.project.blobs import target_from_blob, target_to_blob
from napari_active_seg.project.database import Database
from napari_active_seg.project.records import QueuedRegion
from napari_active_seg.regions import Effort, Region, RegionLabel, RegionState

__all__ = ["RegionsTable"]


class RegionsTable:
    """Regions in the order in which they were proposed, and their labels."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add_proposal(self, proposal: Proposal) -> tuple[QueuedRegion, ...]:
        """Store a proposal and put its regions into the queue, all or none."""
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO proposals (created_at, round, strategy, budget, seed, model_id, "
                "config_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self._clock(),
                    proposal.round,
                    proposal.strategy,
                    proposal.budget,
                    proposal.seed,
                    proposal.model_id,
                    proposal.config_hash,
                ),
            )
            ids = [
                _insert(connection, cursor.lastrowid, scored, proposal.round)
                for scored in proposal.regions
            ]
        by_id = {queued.id: queued for queued in self.queue()}
        return tuple(by_id[i] for i in ids)

    def add_whole_image(self, region: Region) -> str:
        """Put an image that came with its mask into the queue, in no round, and return its id."""
        scored = ScoredRegion(region, 0.0, 0.0, "came with its mask", RegionKind.WHOLE)
        with self._database.transaction() as connection:
            return _insert(connection, None, scored, 0)

    def queue(self) -> tuple[QueuedRegion, ...]:
        """Return every region, the oldest proposal first and its best region first."""
        return tuple(
            _queued(row) for row in self._database.rows("SELECT * FROM regions ORDER BY number")
        )

    def get(self, region_id: str) -> QueuedRegion:
        """Return one region."""
        rows = self._database.rows("SELECT * FROM regions WHERE id = ?", (region_id,))
        if not rows:
            raise BadInputError(f"no region {region_id!r} in this project")
        return _queued(rows[0])

    def last_round(self) -> int:
        """Return the number of the latest round, 0 before the first."""
        rows = self._database.rows("SELECT max(round) AS latest FROM proposals")
        return int(rows[0]["latest"] or 0)

    def set_state(self, region_id: str, state: RegionState) -> None:
        """Move a region to another state."""
        self.get(region_id)
        with self._database.transaction() as connection:
            connection.execute("UPDATE regions SET state = ? WHERE id = ?", (state, region_id))

    def save_label(
        self,
        region_id: str,
        target: NDArray[np.uint8],
        *,
        state: RegionState,
        annotator: str,
        effort: Effort,
    ) -> None:
        """Append a version of a region's label; when this returns it is on the disk.

        ``effort`` is what has been spent since the version before.
        """
        region = self.get(region_id).region
        if target.shape != region.shape:
            raise BadInputError(
                f"the label of region {region_id} must be {region.shape}, got {target.shape}"
            )
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO labels (region_id, saved_at, annotator, target, active_s, idle_s, "
                "strokes, clicks, undos, changed_px) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    region_id,
                    self._clock(),
                    annotator,
                    target_to_blob(target),
                    effort.active_s,
                    effort.idle_s,
                    effort.strokes,
                    effort.clicks,
                    effort.undos,
                    effort.changed_px,
                ),
            )
            connection.execute("UPDATE regions SET state = ? WHERE id = ?", (state, region_id))

    def label(self, region_id: str) -> RegionLabel | None:
        """Return the latest label of a region with its summed effort; None if never saved."""
        rows = self._database.rows(
            "SELECT * FROM labels WHERE region_id = ? ORDER BY number", (region_id,)
        )
        if not rows:
            return None
        queued = self.get(region_id)
        spent = sum((_effort(row) for row in rows), Effort())
        target = target_from_blob(rows[-1]["target"])
        return RegionLabel(queued.region, target, queued.state, rows[-1]["annotator"], spent)

    def done_labels(self, image_ids: Sequence[str]) -> tuple[RegionLabel, ...]:
        """Return the labels of the finished regions of ``image_ids``, in queue order."""
        wanted = set(image_ids)
        labels = (
            self.label(queued.id)
            for queued in self.queue()
            if queued.state is RegionState.DONE and queued.region.image_id in wanted
        )
        return tuple(label for label in labels if label is not None)


def _insert(
    connection: sqlite3.Connection,
    proposal_id: int | None,
    scored: ScoredRegion,
    round_number: int,
) -> str:
    region_id = uuid.uuid4().hex[:12]
    region = scored.region
    connection.execute(
        "INSERT INTO regions (id, proposal_id, image_id, y, x, height, width, kind, state, round, "
        "information, cost, reason, draw_probability, drawn_from) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            region_id,
            proposal_id,
            region.image_id,
            region.y,
            region.x,
            region.height,
            region.width,
            scored.kind,
            RegionState.PROPOSED,
            round_number,
            scored.information,
            scored.cost,
            scored.reason,
            scored.draw_probability,
            scored.drawn_from,
        ),
    )
    return region_id


def _queued(row: sqlite3.Row) -> QueuedRegion:
    return QueuedRegion(
        id=row["id"],
        region=Region(row["image_id"], row["y"], row["x"], row["height"], row["width"]),
        state=RegionState(row["state"]),
        kind=RegionKind(row["kind"]),
        round=row["round"],
        information=row["information"],
        cost=row["cost"],
        reason=row["reason"],
    )


def _effort(row: sqlite3.Row) -> Effort:
    return Effort(
        row["active_s"],
        row["idle_s"],
        row["strokes"],
        row["clicks"],
        row["undos"],
        row["changed_px"],
    )
