"""Unite two copies of a project that were worked on apart; neither side loses a save.

Rows know themselves by uids, so that what both copies have is one, and what one of them lacks is
added. Where both painted the same region differently, the later save is the current label, the
other stays in the history, and the region is reported.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_active_seg.errors import ProjectError
from napari_active_seg.project.classes_table import book_to_text
from napari_active_seg.project.event_log import insert_event
from napari_active_seg.project.images_table import relative_to
from napari_active_seg.project.labels_table import insert_label
from napari_active_seg.project.project import Project
from napari_active_seg.project.serialization import target_from_blob, target_to_blob
from napari_active_seg.regions import UNLABELLED, ClassRegistry, Effort, Region, RegionState

__all__ = ["MergeConflict", "MergeReport", "in_names_of", "insert_row", "merge_projects"]


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


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """A region that both copies labelled differently since they diverged."""

    region_id: str
    image_id: str
    annotators: tuple[str, str]  #: of the copy merged into, and of the other
    differing_pixels: int
    kept: str  #: "ours" or "theirs": the current label; the other stays in the history
    states: tuple[RegionState, RegionState]  #: of the copy merged into, and of the other


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What came from the other copy, and where the two disagree."""

    images: int
    proposals: int
    regions: int
    labels: int
    models: int
    conflicts: tuple[MergeConflict, ...]
    notes: tuple[str, ...]
    backup: Path


def merge_projects(ours: Project, theirs: Project) -> MergeReport:
    """Bring all that ``theirs`` has into ``ours``, which is copied to ``backups/`` first.

    ``theirs`` is only read. ProjectError, with nothing changed, if the two are not copies of one
    project or an image of theirs is another picture under the same name.
    """
    _check_same_origin(ours, theirs)
    backup = _backup(ours)
    merge = _Merge(ours, theirs)
    try:
        with ours.database.transaction() as connection:
            report = merge.run(connection, backup)
    except BaseException:
        merge.take_files_back()
        raise
    ours.classes.reload()
    return report


def _check_same_origin(ours: Project, theirs: Project) -> None:
    if ours.folder.samefile(theirs.folder):
        raise ProjectError(f"{ours.folder} cannot be merged with itself; name its copy")
    if ours.config.project_uid != theirs.config.project_uid:
        raise ProjectError(
            f"{theirs.folder} is not a copy of {ours.folder} but a project of its own; export it "
            "and import its labels instead"
        )
    prints = {ref.id: ref.fingerprint for ref in ours.images.all()}
    for ref in theirs.images.all():
        if prints.get(ref.id, ref.fingerprint) != ref.fingerprint:
            raise ProjectError(
                f"image {ref.id} is not the same picture in the two copies; nothing was merged. "
                "Rename one of the files and add it again"
            )


def _backup(project: Project) -> Path:
    folder = project.folder / "backups"
    try:
        folder.mkdir(exist_ok=True)
        path = folder / f"project-before-merge-{time.strftime('%Y%m%d-%H%M%S')}.db"
        project.database.copy_to(path)
    except (OSError, sqlite3.Error) as error:
        raise ProjectError(f"no copy could be put into {folder} ({error}); free space") from error
    return path


class _Merge:
    """One merge, table by table, inside one transaction."""

    def __init__(self, ours: Project, theirs: Project) -> None:
        self._ours = ours
        self._theirs = theirs
        self._notes: list[str] = []
        self._copied: list[Path] = []
        self._uid_table = np.arange(256, dtype=np.uint8)
        self._model_ids: dict[str, str] = {}
        self._proposal_ids: dict[int, int] = {}

    def run(self, connection: sqlite3.Connection, backup: Path) -> MergeReport:
        self._merge_classes(connection)
        images = self._merge_images(connection)
        models = self._merge_models(connection)
        proposals = self._merge_proposals(connection)
        regions = self._merge_regions(connection)
        labels, conflicts = self._merge_labels(connection)
        self._merge_events(connection)
        insert_event(
            connection,
            at=self._ours.clock(),
            annotator=self._ours.config.annotator,
            what="merged",
            subject="",
            facts={"labels": labels, "conflicts": [c.region_id for c in conflicts]},
        )
        return MergeReport(
            images, proposals, regions, labels, models, conflicts, tuple(self._notes), backup
        )

    def take_files_back(self) -> None:
        for path in self._copied:
            path.unlink(missing_ok=True)

    # --- classes -----------------------------------------------------------------------------

    def _merge_classes(self, connection: sqlite3.Connection) -> None:
        """Map their classes to ours, and add those that only they have."""
        shared = self._uids_before_parting()
        book, theirs = self._ours.classes.current, self._theirs.classes.current
        before = book
        for uid, name, colour in zip(
            theirs.uids, theirs.schema.names, theirs.schema.colours, strict=True
        ):
            if uid < shared:
                place = book.get_position(uid)
                if place is None or book.schema.names[place] != name:
                    self._notes.append(f"their class {name!r} keeps our name or place")
                continue
            folded = [known.casefold() for known in book.schema.names]
            if name.casefold() not in folded:
                book = book.add_class(name, colour)
                folded.append(name.casefold())
            self._uid_table[uid] = book.uids[folded.index(name.casefold())]
        for gone, into in theirs.merged:
            if gone >= shared:
                self._uid_table[gone] = self._uid_table[into]
            elif (gone, into) not in book.merged:
                self._notes.append("classes that they merged stay apart here; merge them again")
        if book != before:
            self._append_book(connection, book)

    def _uids_before_parting(self) -> int:
        """Return how many uids were given when the copies were still one."""
        mine, other = (
            [(row["made_at"], row["book"]) for row in project.database.rows(_ALL_SCHEMAS)]
            for project in (self._ours, self._theirs)
        )
        together = 0
        for a, b in zip(mine, other, strict=False):
            if a != b:
                break
            together += 1
        return self._ours.classes.book_at(together - 1).next_uid if together else 0

    def _append_book(self, connection: sqlite3.Connection, book: ClassRegistry) -> None:
        latest = connection.execute("SELECT max(number) AS n FROM schemas").fetchone()["n"]
        connection.execute(
            "INSERT INTO schemas (made_at, annotator, what, book, before) VALUES (?, ?, ?, ?, ?)",
            (
                self._ours.clock(),
                self._ours.config.annotator,
                "added classes of a merged copy",
                book_to_text(book),
                latest,
            ),
        )

    # --- images, models, proposals, regions ------------------------------------------------------

    def _merge_images(self, connection: sqlite3.Connection) -> int:
        here = self._ours.images.placements()
        count = 0
        for row in self._theirs.database.rows("SELECT * FROM images ORDER BY id"):
            if row["id"] in here:
                if here[row["id"]].split != row["split"]:
                    self._notes.append(f"image {row['id']} stays in {here[row['id']].split}")
                continue
            path = self._theirs.folder / row["relative_path"]
            insert_row(
                connection, "images", row, relative_path=relative_to(self._ours.folder, path)
            )
            count += 1
        for row in self._theirs.database.rows("SELECT * FROM tissue"):
            ours = connection.execute(
                "SELECT edited_at FROM tissue WHERE image_id = ?", (row["image_id"],)
            ).fetchone()
            if ours is None or ours["edited_at"] < row["edited_at"]:
                connection.execute("DELETE FROM tissue WHERE image_id = ?", (row["image_id"],))
                insert_row(connection, "tissue", row)
        return count

    def _merge_models(self, connection: sqlite3.Connection) -> int:
        known = {(m.created_at, m.data_hash, m.seed): m.id for m in self._ours.models.all()}
        taken = set(known.values())
        count = 0
        for row in self._theirs.database.rows("SELECT * FROM models ORDER BY created_at, id"):
            key = (row["created_at"], row["data_hash"], row["seed"])
            if key in known:
                self._model_ids[row["id"]] = known[key]
                continue
            name = next(
                n for n in (row["id"], *(f"m{k:03d}" for k in range(1, 10**6))) if n not in taken
            )
            taken.add(name)
            self._model_ids[row["id"]] = name
            self._copy_model(row["id"], name)
            insert_row(connection, "models", row, id=name, in_use=0)
            count += 1
        return count

    def _copy_model(self, their_id: str, our_id: str) -> None:
        source, target = self._theirs.models.path(their_id), self._ours.models.path(our_id)
        if not source.is_file():
            self._notes.append(f"the file of their model {their_id} is missing")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        self._copied.append(target)

    def _merge_proposals(self, connection: sqlite3.Connection) -> int:
        rows = connection.execute("SELECT id, uid FROM proposals").fetchall()
        known = {row["uid"]: row["id"] for row in rows}
        count = 0
        for row in self._theirs.database.rows("SELECT * FROM proposals ORDER BY id"):
            if row["uid"] not in known:
                model = self._model_ids.get(row["model_id"], row["model_id"])
                known[row["uid"]] = insert_row(
                    connection, "proposals", row, id=None, model_id=model
                )
                count += 1
            self._proposal_ids[row["id"]] = known[row["uid"]]
        return count

    def _merge_regions(self, connection: sqlite3.Connection) -> int:
        known = {r["id"] for r in connection.execute("SELECT id FROM regions").fetchall()}
        count = 0
        for row in self._theirs.database.rows("SELECT * FROM regions ORDER BY number"):
            if row["id"] not in known:
                proposal = self._proposal_ids.get(row["proposal_id"])
                insert_row(connection, "regions", row, number=None, proposal_id=proposal)
                count += 1
        return count

    # --- labels ------------------------------------------------------------------------------

    def _merge_labels(
        self, connection: sqlite3.Connection
    ) -> tuple[int, tuple[MergeConflict, ...]]:
        """Add their saves, and settle label and state of each region that both copies know.

        What one copy alone has changed holds. Where both did, the later save decides, and a
        region that either copy had finished stays finished if the labels are the same.
        """
        count = 0
        conflicts: list[MergeConflict] = []
        for region in self._theirs.database.rows("SELECT * FROM regions ORDER BY number"):
            here = _labels_of(connection.execute(_LABELS_OF, (region["id"],)).fetchall())
            there = _labels_of(self._theirs.database.rows(_LABELS_OF, (region["id"],)))
            theirs_alone = [row for uid, row in there.items() if uid not in here]
            for row in theirs_alone:
                insert_row(connection, "labels", row, number=None, target=self._blob(row["target"]))
            count += len(theirs_alone)
            versions = _Versions(
                ours=next(reversed(here.values()), None),
                theirs=next(reversed(there.values()), None),
                ours_changed=any(uid not in there for uid in here),
                theirs_changed=bool(theirs_alone),
            )
            conflict = self._settle(connection, region, versions)
            if conflict is not None:
                conflicts.append(conflict)
        conflicts += self._overlaps(connection)
        return count, tuple(conflicts)

    def _overlaps(self, connection: sqlite3.Connection) -> Iterator[MergeConflict]:
        """Yield regions of theirs whose labels differ from an overlapping region of ours."""
        there = {row["id"] for row in self._theirs.database.rows("SELECT id FROM regions")}
        here = {ref.id: ref for ref in self._ours.regions.queue()}
        mine = [q for q in here.values() if q.id not in there and q.state is RegionState.DONE]
        for queued in self._theirs.regions.queue():
            if queued.id in here or queued.state is not RegionState.DONE:
                continue
            for ours in (q for q in mine if q.region.overlaps(queued.region)):
                a, b = (
                    connection.execute(_LABELS_OF, (region_id,)).fetchall()
                    for region_id in (ours.id, queued.id)
                )
                if not a or not b:
                    continue
                differing = _disagreement(ours.region, a[-1], queued.region, b[-1])
                if differing:
                    who = (a[-1]["annotator"], b[-1]["annotator"])
                    image_id = queued.region.image_id
                    states = (ours.state, queued.state)
                    yield MergeConflict(queued.id, image_id, who, differing, "theirs", states)

    def _settle(
        self, connection: sqlite3.Connection, region: sqlite3.Row, labels: _Versions
    ) -> MergeConflict | None:
        """Choose the current label and state; return the conflict where both copies count."""
        ours = connection.execute(_REGION, (region["id"],)).fetchone()
        theirs_state, ours_state = RegionState(region["state"]), RegionState(ours["state"])
        state_of_ours, state_of_theirs = self._state_changes(connection, region["id"])
        ours_counts = labels.ours_changed or state_of_ours
        theirs_counts = labels.theirs_changed or state_of_theirs
        if not theirs_counts:
            return None
        if not ours_counts:
            _write_state(connection, region["id"], theirs_state, region["state_at"])
            return None
        differing = self._differing_pixels(labels)
        ours_is_later = labels.ours_is_later
        if ours_is_later is None:
            ours_is_later = ours["state_at"] >= region["state_at"]
        if ours_is_later and labels.theirs_changed and labels.ours is not None:
            _keep_label(connection, region["id"], labels.ours)
        finished = RegionState.DONE in (ours_state, theirs_state)
        if finished and not differing:
            state = RegionState.DONE
        else:
            state = ours_state if ours_is_later else theirs_state
        if state is not ours_state:
            _write_state(connection, region["id"], state, region["state_at"])
        if not differing and not (finished and state is not RegionState.DONE):
            return None
        return MergeConflict(
            region["id"],
            region["image_id"],
            (_annotator_of(labels.ours), _annotator_of(labels.theirs)),
            differing,
            "ours" if ours_is_later else "theirs",
            (ours_state, theirs_state),
        )

    def _state_changes(self, connection: sqlite3.Connection, region_id: str) -> tuple[bool, bool]:
        """Return whether our copy, and theirs, moved a region since they diverged."""
        here = {row["uid"] for row in connection.execute(_STATE_EVENTS, (region_id,)).fetchall()}
        there = {row["uid"] for row in self._theirs.database.rows(_STATE_EVENTS, (region_id,))}
        return bool(here - there), bool(there - here)

    def _differing_pixels(self, labels: _Versions) -> int:
        """Return how many pixels the latest labels of the two copies give different classes."""
        if labels.ours is None or labels.theirs is None:
            one = labels.ours or labels.theirs
            return 0 if one is None else int(target_from_blob(one["target"]).size)
        ours = target_from_blob(labels.ours["target"])
        return int(np.count_nonzero(ours != target_from_blob(self._blob(labels.theirs["target"]))))

    def _blob(self, blob: bytes) -> bytes:
        """Return a stored label of theirs in our uids."""
        if (self._uid_table == np.arange(256)).all():
            return blob
        return target_to_blob(self._uid_table[target_from_blob(blob)])

    def _merge_events(self, connection: sqlite3.Connection) -> None:
        known = {row["uid"] for row in connection.execute("SELECT uid FROM events").fetchall()}
        for row in self._theirs.database.rows("SELECT * FROM events ORDER BY number"):
            if row["uid"] not in known:
                renamed = in_names_of(row, self._model_ids)
                insert_row(connection, "events", row, number=None, **renamed)


@dataclass(frozen=True, slots=True)
class _Versions:
    """The latest label of a region in either copy, and which copies saved since they diverged."""

    ours: sqlite3.Row | None
    theirs: sqlite3.Row | None
    ours_changed: bool
    theirs_changed: bool

    @property
    def ours_is_later(self) -> bool | None:
        """Whether ours was saved later; None where they are one save, or none."""
        if not (self.ours_changed or self.theirs_changed):
            return None
        if self.ours is None or self.theirs is None:
            return self.theirs is None
        return bool(self.ours["saved_at"] >= self.theirs["saved_at"])


def _keep_label(connection: sqlite3.Connection, region_id: str, label: sqlite3.Row) -> None:
    """Save a label of ours once more, after theirs, so that it is the current one."""
    insert_label(
        connection,
        region_id,
        label["target"],
        at=label["saved_at"],
        annotator=label["annotator"],
        effort=Effort(),
        state=RegionState(label["state"]) if label["state"] else None,
        note="kept by a merge",
        objects=label["objects"],
    )


def _write_state(
    connection: sqlite3.Connection, region_id: str, state: RegionState, at: float
) -> None:
    connection.execute(
        "UPDATE regions SET state = ?, state_at = ? WHERE id = ?", (str(state), at, region_id)
    )


def _annotator_of(label: sqlite3.Row | None) -> str:
    return "" if label is None else str(label["annotator"])


_ALL_SCHEMAS = "SELECT made_at, book FROM schemas ORDER BY number"
_REGION = "SELECT * FROM regions WHERE id = ?"
_STATE_EVENTS = "SELECT uid FROM events WHERE what = 'state' AND subject = ?"
_LABELS_OF = "SELECT * FROM labels WHERE region_id = ? ORDER BY number"


def _disagreement(
    region_a: Region, label_a: sqlite3.Row, region_b: Region, label_b: sqlite3.Row
) -> int:
    """Return how many pixels that both regions label are of different classes."""
    y, x = max(region_a.y, region_b.y), max(region_a.x, region_b.x)
    bottom, right = min(region_a.bottom, region_b.bottom), min(region_a.right, region_b.right)
    a, b = (
        target_from_blob(label["target"])[
            y - region.y : bottom - region.y, x - region.x : right - region.x
        ]
        for region, label in ((region_a, label_a), (region_b, label_b))
    )
    return int(np.count_nonzero((a != b) & (a != UNLABELLED) & (b != UNLABELLED)))


def _labels_of(rows: list[sqlite3.Row]) -> dict[str, sqlite3.Row]:
    return {row["uid"]: row for row in rows}
