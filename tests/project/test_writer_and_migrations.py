"""One writer at a time; older projects are brought up to date, newer and damaged ones refused."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
from tiny_project import paint

from napari_active_seg.errors import ProjectError, ProjectHeldError, ProjectTakenOverError
from napari_active_seg.project import Project
from napari_active_seg.project.database import Database
from napari_active_seg.project.migrations import SCHEMA_VERSION
from napari_active_seg.project.serialization import target_to_blob
from napari_active_seg.regions import RegionState

HOLDER = """
import sys
from pathlib import Path
from napari_active_seg.project import Project
project = Project.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
project.close()
"""


@pytest.fixture
def holder(painted):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(painted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


def test_second_writer_is_told_who_holds_the_project_and_may_read(painted, holder):
    with pytest.raises(ProjectHeldError, match=f"process {holder.pid}") as caught:
        Project.open(painted)
    assert "this machine" in caught.value.holder
    with Project.open(painted, read_only=True) as reader:
        assert reader.holder.pid == holder.pid
        assert len(reader.regions.queue()) == 3
        with pytest.raises(ProjectError, match="opened read-only"):
            reader.regions.set_state(reader.regions.queue()[0].id, RegionState.LATER)
    holder.communicate("done\n")
    Project.open(painted).close()


def test_place_of_a_killed_writer_is_free(painted, holder):
    holder.kill()
    holder.wait()
    with Project.open(painted) as project:
        assert project.holder.pid == os.getpid()


def test_zombie_and_reused_process_number_hold_nothing(painted, holder):
    holder.kill()
    time.sleep(0.2)  # not waited for: a zombie, still in the table of processes
    with Project.open(painted) as project:
        with project.database.transaction() as connection:
            connection.execute("UPDATE writer SET process_started = process_started - 60")
        project.database.close()  # as a crash would leave it
    Project.open(painted).close()


def test_copy_of_a_folder_that_is_held_is_free(painted, holder, tmp_path):
    shutil.copytree(painted, tmp_path / "stick" / "project")
    Project.open(tmp_path / "stick" / "project").close()
    with pytest.raises(ProjectHeldError):
        Project.open(painted)


def test_holder_on_another_machine_is_believed_until_the_person_takes_over(painted):
    with Project.open(painted) as project, project.database.transaction() as connection:
        connection.execute("UPDATE writer SET host = 'lab-7', token = 'theirs'")
    with pytest.raises(ProjectHeldError, match=r"lab-7.*unlock"):
        Project.open(painted)
    project = Project.open(painted, take_over=True)
    assert project.holder.host != "lab-7"
    project.close()


def test_window_that_was_taken_over_can_no_longer_write(painted):
    first = Project.open(painted)
    region = first.regions.queue()[-1].id
    second = Project.open(painted, take_over=True)
    with pytest.raises(ProjectError, match="was taken over by"):
        paint(first, region, 1)
    first.close()
    paint(second, region, 1)  # whose place the first did not give away
    second.close()


def test_taken_over_project_is_read_only_says_who_and_is_never_written_again(painted):
    first, told = Project.open(painted), []
    first.database.taken_over.connect(told.append)
    region = first.regions.queue()[-1].id
    second = Project.open(painted, take_over=True)
    first.database.check_writer()
    assert first.read_only and not second.read_only
    assert [error.by for error in told] == ["another window of this program"]
    second.close()  # the place is free, but it is not the first one's any more
    before = (painted / "project.db").read_bytes()
    for _ in range(2):
        with pytest.raises(ProjectTakenOverError, match="read-only here from now on"):
            paint(first, region, 1)
    first.close()
    assert len(told) == 1
    assert (painted / "project.db").read_bytes() == before


def test_who_writes_is_checked_without_harm(painted):
    with Project.open(painted) as project:
        project.database.check_writer()
        assert not project.read_only
    with Project.open(painted, read_only=True) as project:
        project.database.check_writer()


def test_folder_that_came_back_as_a_copy_is_read_and_written(painted):
    with Project.open(painted) as project:
        region = project.regions.queue()[-1].id
        away = painted.with_name("away")
        painted.rename(away)
        with pytest.raises(ProjectError, match=r"could not be written.*is not there"):
            paint(project, region, 1)
        assert not painted.exists()
        shutil.copytree(away, painted)
        shutil.rmtree(away)
        paint(project, region, 1)
        assert (project.labels.latest(region).target == 1).all()


def test_same_process_is_told_that_it_has_the_project_open(painted):
    with Project.open(painted), pytest.raises(ProjectHeldError, match="this very program"):
        Project.open(painted)


# --- older, newer, damaged -----------------------------------------------------------------------

VERSION_1 = """
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
PRAGMA application_id = 1851867475;
PRAGMA user_version = 1;
"""


@pytest.fixture
def old_project(painted):
    """The project as the first version of the program would have left it."""
    (painted / "project.db").unlink()
    connection = sqlite3.connect(painted / "project.db")
    connection.executescript(VERSION_1)
    connection.executemany(
        "INSERT INTO classes VALUES (?, ?, ?, ?)",
        [(0, "background", "#56b4e9", 0), (1, "disk", "#d55e00", 1)],
    )
    connection.execute(
        "INSERT INTO images VALUES ('img0.png', '../data/images/img0.png', 96, 128, NULL, NULL, "
        "'abc', 'pool')"
    )
    connection.execute("INSERT INTO proposals VALUES (1, 5.0, 1, 's', 1, 0, NULL, 'hash')")
    connection.execute("INSERT INTO models VALUES ('m001', 1.0, 'fast', 0, 1, '[]', 'h', '{}', 1)")
    for region in ("r1", "r2"):
        connection.execute(
            "INSERT INTO regions (id, proposal_id, image_id, y, x, height, width, kind, state, "
            "round, information, cost, reason, drawn_from) VALUES (?, 1, 'img0.png', 0, 0, 4, 4, "
            "'start', 'done', 1, 0, 0, '', 1)",
            (region,),
        )
    blob = target_to_blob(np.ones((4, 4), np.uint8))
    for _ in range(2):
        connection.execute(
            "INSERT INTO labels (region_id, saved_at, annotator, target, active_s, idle_s, "
            "strokes, clicks, undos, changed_px) VALUES ('r1', 7.0, 'A', ?, 1, 0, 1, 1, 0, 16)",
            (blob,),
        )
    connection.commit()
    connection.close()
    config = json.loads((painted / "project.json").read_text())
    for name in ("project_uid", "key_file", "training", "inference", "acquisition"):
        del config[name]
    (painted / "project.json").write_text(json.dumps(config | {"format_version": 1}))
    return painted


def test_older_project_is_migrated_after_a_copy(old_project):
    before = (old_project / "project.db").read_bytes()
    with Project.open(old_project) as project:
        assert project.schema.names == ("background", "disk")
        label = project.labels.latest("r1")
        assert (label.target == 1).all() and label.effort.strokes == 2
        assert project.models.in_use().class_uids == (0, 1)
        paint(project, "r2", 0)
    (backup,) = (old_project / "backups").glob("project-schema1-*.db")
    kept = sqlite3.connect(backup)
    assert kept.execute("PRAGMA user_version").fetchone() == (1,)
    assert kept.execute("SELECT count(*) FROM labels").fetchone() == (2,)
    kept.close()
    # The copy can be put back, and migrates again to the same names of rows.
    uids = [saved.uid for saved in _labels(old_project, "r1")]
    (old_project / "project.db").write_bytes(backup.read_bytes())
    assert [saved.uid for saved in _labels(old_project, "r1")] == uids
    (old_project / "project.db").write_bytes(before)


def _labels(folder, region):
    with Project.open(folder, read_only=True) as project:
        return project.labels.history(region)


def test_reading_an_older_project_changes_nothing_on_the_disk(old_project):
    before = {p: p.read_bytes() for p in old_project.rglob("*") if p.is_file()}
    with Project.open(old_project, read_only=True) as project:
        assert (project.labels.latest("r1").target == 1).all()
    assert {p: p.read_bytes() for p in old_project.rglob("*") if p.is_file()} == before


def test_migrated_and_new_projects_have_the_same_tables(old_project, tmp_path):
    def shape(path):
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
        names = {kind: sorted(n for k, n in rows if k == kind) for kind in ("table", "index")}
        columns = {
            name: sorted(tuple(c[1:5]) for c in connection.execute(f"PRAGMA table_info({name})"))
            for name in names["table"]
        }
        connection.close()
        return columns, names["index"]

    Project.open(old_project).close()
    Database.create(tmp_path / "new.db").close()
    assert shape(old_project / "project.db") == shape(tmp_path / "new.db")


def test_migration_that_fails_leaves_the_old_project(old_project, monkeypatch):
    from napari_active_seg.project import migrations

    def half_way(connection):
        connection.execute("DROP TABLE classes")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setitem(migrations.MIGRATIONS, 1, half_way)
    before = (old_project / "project.db").read_bytes()
    with pytest.raises(ProjectError):
        Project.open(old_project)
    assert (old_project / "project.db").read_bytes() == before


def test_newer_schema_is_refused_with_both_numbers(painted):
    with closing(sqlite3.connect(painted / "project.db")) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=f"schema {SCHEMA_VERSION + 1}, this one knows"):
            Project.open(painted, read_only=read_only)


@pytest.mark.parametrize("keep", [0, 10, 99, 5000])
def test_truncated_database_is_refused_and_left_as_it_is(painted, keep):
    path = painted / "project.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=r"is damaged .*Put a copy"):
            Project.open(painted, read_only=read_only)
    assert path.read_bytes() == whole[:keep]
    path.write_bytes(whole)
    Project.open(painted).close()


def test_folder_with_spaces_and_letters_of_any_script_opens(painted, tmp_path):
    for name in ("a b%20c?#'&", "Präparat ß 組織", "проект"):
        folder = tmp_path / name / "project"
        shutil.copytree(painted, folder)
        with Project.open(folder) as project:
            paint(project, project.regions.queue()[-1].id, 1)
        with Project.open(folder, read_only=True) as project:
            assert (project.labels.latest(project.regions.queue()[-1].id).target == 1).all()
