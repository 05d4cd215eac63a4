"""Proposals, and the queue of regions with their states."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from napari_active_seg.acquisition import Proposal, RegionKind, ScoredRegion
from napari_active_seg.errors import BadInputError
from napari_active_seg.project.database import Database
from napari_active_seg.project.event_log import insert_event
from napari_active_seg.project.records import ProposalFacts, QueuedRegion
from napari_active_seg.project.serialization import shape_from_blob, shape_to_blob
from napari_active_seg.regions import Effort, Region, RegionState

__all__ = [
    "OFFERED_EVENT",
    "PLACED_EVENT",
    "WITHDRAWN_EVENT",
    "RegionsTable",
    "write_state",
]

#: Name of the events with the sampling frame of a proposal.
OFFERED_EVENT = "offered"
#: Name of the events of regions that were replaced before anybody labelled them.
WITHDRAWN_EVENT = "withdrawn"
#: Name of the event that records who placed a region by hand, and where.
PLACED_EVENT = "placed by hand"
_SELECT = (
    "SELECT regions.*, proposals.uid AS proposal_uid FROM regions "
    "LEFT JOIN proposals ON proposals.id = regions.proposal_id"
)


class RegionsTable:
    """Regions in the order in which they were proposed."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add_proposal(self, proposal: Proposal) -> tuple[QueuedRegion, ...]:
        """Store a proposal and put its regions into the queue, all or none."""
        uid = uuid.uuid4().hex
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO proposals (uid, created_at, round, strategy, budget, seed, model_id, "
                "config_hash, notes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    uid,
                    self._clock(),
                    proposal.round,
                    proposal.strategy,
                    proposal.budget,
                    proposal.seed,
                    proposal.model_id,
                    proposal.config_hash,
                    json.dumps(proposal.notes),
                ),
            )
            if proposal.offered is not None:
                insert_event(
                    connection,
                    at=self._clock(),
                    annotator="",
                    what=OFFERED_EVENT,
                    subject=uid,
                    facts=asdict(proposal.offered),
                )
            ids = [
                _insert(connection, cursor.lastrowid, scored, proposal.round)
                for scored in proposal.regions
            ]
        by_id = {queued.id: queued for queued in self.queue()}
        return tuple(by_id[i] for i in ids)

    def add_whole_image(self, region: Region) -> str:
        """Put an image that came with labels, or a part of one, into the queue, in no round.

        The id of the region comes back: of the one that is there, where it came before.
        """
        there = self._database.rows(
            "SELECT id FROM regions WHERE image_id = ? AND y = ? AND x = ? AND height = ? "
            "AND width = ? AND kind = ?",
            (region.image_id, region.y, region.x, *region.shape, RegionKind.IMPORTED),
        )
        if there:
            return str(there[0]["id"])
        scored = ScoredRegion(region, 0.0, 0.0, "came with its labels", RegionKind.IMPORTED)
        with self._database.transaction() as connection:
            return _insert(connection, None, scored, 0)

    def add_known(self, scored: ScoredRegion, round_number: int) -> str:
        """Put a region of another project into the queue, in the round that it was of there.

        The id of the region comes back: of the one that is there, where it came before.
        """
        region = scored.region
        there = self._database.rows(
            "SELECT id, shape FROM regions WHERE image_id = ? AND y = ? AND x = ? AND height = ? "
            "AND width = ? AND kind = ? AND round = ?",
            (region.image_id, region.y, region.x, *region.shape, scored.kind, round_number),
        )
        for row in there:
            shape = None if row["shape"] is None else shape_from_blob(row["shape"])
            if shape == scored.shape:
                return str(row["id"])
        with self._database.transaction() as connection:
            return _insert(connection, None, scored, round_number)

    def add_manual(self, scored: ScoredRegion, *, after: str | None, annotator: str) -> str:
        """Add a region that ``annotator`` placed by hand, and return its id.

        It belongs to the latest round but to no proposal, and comes right behind the region
        ``after`` in the queue; last without one.
        """
        round_number = self.last_round()
        facts = {**asdict(scored.region), "round": round_number}
        with self._database.transaction() as connection:
            region_id = _insert(connection, None, scored, round_number)
            connection.execute(
                "UPDATE regions SET placed_by = ?, queued_after = ? WHERE id = ?",
                (annotator, after, region_id),
            )
            insert_event(
                connection, at=self._clock(), annotator=annotator, what=PLACED_EVENT,
                subject=region_id, facts=facts,
            )  # fmt: skip
        return region_id

    def queue(self) -> tuple[QueuedRegion, ...]:
        """Return every region to paint, the oldest proposal first and its best region first.

        A region that was placed by hand comes right behind the one that was current then.
        """
        return self._of_kinds("!=")

    def questions(self) -> tuple[QueuedRegion, ...]:
        """Return every image that needs a class, in the order of the queue."""
        return self._of_kinds("=")

    def _of_kinds(self, relation: str) -> tuple[QueuedRegion, ...]:
        rows = self._database.rows(
            f"{_SELECT} WHERE regions.kind {relation} ? ORDER BY regions.number",
            (RegionKind.IMAGE_QUESTION,),
        )
        return tuple(_queued(row) for row in _in_queue_order(rows))

    def add_questions(
        self, questions: Sequence[ScoredRegion], round_number: int
    ) -> tuple[str, ...]:
        """Put whole images that need a class into the queue; return their ids."""
        with self._database.transaction() as connection:
            return tuple(_insert(connection, None, scored, round_number) for scored in questions)

    def get(self, region_id: str) -> QueuedRegion:
        """Return one region."""
        rows = self._database.rows(f"{_SELECT} WHERE regions.id = ?", (region_id,))
        if not rows:
            raise BadInputError(f"no region {region_id!r} in this project")
        return _queued(rows[0])

    def proposals(self) -> dict[str, ProposalFacts]:
        """Return by what each proposal was made, by its uid."""
        rows = self._database.rows(
            "SELECT uid, round, strategy, model_id, config_hash, seed FROM proposals ORDER BY id"
        )
        return {
            row["uid"]: ProposalFacts(
                row["round"], row["strategy"], row["model_id"], row["config_hash"], row["seed"]
            )
            for row in rows
        }

    def last_notes(self) -> tuple[str, ...]:
        """Return the notes of the latest proposal."""
        rows = self._database.rows("SELECT notes FROM proposals ORDER BY id DESC LIMIT 1")
        return tuple(json.loads(rows[0]["notes"])) if rows else ()

    def last_round(self) -> int:
        """Return the number of the latest round, 0 before the first."""
        rows = self._database.rows("SELECT max(round) AS latest FROM proposals")
        return int(rows[0]["latest"] or 0)

    def set_state(
        self,
        region_id: str,
        state: RegionState,
        *,
        annotator: str = "",
        effort: Effort | None = None,
    ) -> None:
        """Move a region to another state; the time spent on it goes into the event log."""
        self.get(region_id)
        took = {} if effort is None else {"active_s": effort.active_s, "clicks": effort.clicks}
        facts = {key: value for key, value in took.items() if value}
        with self._database.transaction() as connection:
            write_state(
                connection, region_id, state, at=self._clock(), annotator=annotator, facts=facts
            )

    def withdraw(self, region_ids: Sequence[str], *, annotator: str = "") -> tuple[str, ...]:
        """Take chosen regions that nobody has touched out of the queue again; return which went.

        So are those that were placed by hand. The event log keeps where they were.
        """
        gone = []
        with self._database.transaction() as connection:
            for region_id in region_ids:
                row = connection.execute(
                    "SELECT * FROM regions WHERE id = ? AND state = ? AND kind IN (?, ?) "
                    "AND NOT EXISTS (SELECT 1 FROM labels WHERE region_id = regions.id)",
                    (region_id, RegionState.PROPOSED, RegionKind.CHOSEN, RegionKind.MANUAL),
                ).fetchone()
                if row is None:
                    continue
                connection.execute("DELETE FROM regions WHERE id = ?", (region_id,))
                place = {k: row[k] for k in ("image_id", "y", "x", "height", "width", "round")}
                insert_event(
                    connection, at=self._clock(), annotator=annotator, what=WITHDRAWN_EVENT,
                    subject=region_id, facts=place,
                )  # fmt: skip
                gone.append(region_id)
        return tuple(gone)


def write_state(
    connection: sqlite3.Connection,
    region_id: str,
    state: RegionState,
    *,
    at: float,
    annotator: str,
    facts: Mapping[str, float] | None = None,
) -> None:
    """Move a region to ``state`` inside a transaction; a change is added to the event log."""
    before = connection.execute("SELECT state FROM regions WHERE id = ?", (region_id,)).fetchone()
    if before is None or before["state"] == state:
        return
    connection.execute(
        "UPDATE regions SET state = ?, state_at = ? WHERE id = ?", (state, at, region_id)
    )
    insert_event(
        connection, at=at, annotator=annotator, what="state", subject=region_id,
        facts={"from": before["state"], "to": str(state), **(facts or {})},
    )  # fmt: skip


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
        "information, cost, reason, draw_probability, drawn_from, shape) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            None if scored.shape is None else shape_to_blob(scored.shape),
        ),
    )
    return region_id


def _in_queue_order(rows: Sequence[sqlite3.Row]) -> list[sqlite3.Row]:
    """Return rows by their number, each with ``queued_after`` right behind the row it names."""
    followers: dict[str, list[sqlite3.Row]] = {}
    known = {row["id"] for row in rows}
    first = []
    for row in rows:
        if row["queued_after"] in known:
            followers.setdefault(row["queued_after"], []).append(row)
        else:
            first.append(row)
    ordered: list[sqlite3.Row] = []
    pending = first[::-1]
    while pending:
        row = pending.pop()
        ordered.append(row)
        pending += followers.get(row["id"], [])  # the latest follower comes first
    return ordered


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
        shape=None if row["shape"] is None else shape_from_blob(row["shape"]),
        draw_probability=row["draw_probability"],
        drawn_from=row["drawn_from"] or 0,
        proposal=row["proposal_uid"],
        placed_by=row["placed_by"],
    )
