"""Kill a writer at random instants: nothing that was acknowledged may be missing."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import pytest

from napari_active_seg.project import Project
from napari_active_seg.regions import RegionState

WRITER = Path(__file__).with_name("killed_writer.py")
HELPERS = Path(__file__).parents[1] / "support"


class Writers:
    """Starts writers and kills them; ``acks`` is what they acknowledged before they died."""

    def __init__(self, folder, acks):
        environment = os.environ | {
            "PYTHONPATH": f"{HELPERS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.acks = acks
        self._process = subprocess.Popen(
            [sys.executable, str(WRITER), str(folder), str(acks)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start_and_kill(self, seed, after_s):
        self._process.stdin.write(f"{seed}\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        before = self._size()
        # Let it open the project and acknowledge something, then hit it at any instant.
        deadline = time.monotonic() + 20
        while self._size() == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        while True:
            try:
                os.kill(child, 0)
            except ProcessLookupError:
                return
            time.sleep(0.001)

    def _size(self):
        return self.acks.stat().st_size if self.acks.exists() else 0

    def acknowledged(self):
        whole, _, _ = self.acks.read_text().rpartition("\n")
        return [line.split() for line in whole.splitlines()]

    def close(self):
        self._process.kill()
        self._process.communicate()


def check_copy(folder, acknowledged):
    """Open a copied folder and look for everything that was acknowledged."""
    connection = sqlite3.connect(folder / "project.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with Project.open(folder) as project:
        known = {queued.id: queued.state for queued in project.regions.queue()}
        models = {model.id for model in project.models.all()}
        crcs = {
            region: _crcs(project, region) for kind, region, *_ in acknowledged if kind == "label"
        }
        for kind, *facts in acknowledged:
            if kind == "label":
                assert int(facts[1]) in crcs[facts[0]], f"a stroke in {facts[0]} is lost"
            elif kind == "done":
                assert known[facts[0]] is RegionState.DONE
            elif kind == "proposed":
                assert set(facts) <= set(known)
            else:
                assert facts[0] in models
                json.loads(project.models.path(facts[0]).read_text())


def _crcs(project, region):
    """Return the checksums of every save of a region; a damaged blob raises."""
    history = project.labels.history(region)
    return {zlib.crc32(project.labels.get_target(saved.uid).tobytes()) for saved in history}


def kill_many(folder, tmp_path, kills):
    """Kill writers; look for what each acknowledged after it, and for all of it at the end.

    A machine that is busy with other things acknowledges less before a kill, and more are killed.
    """
    draws = random.Random(0)
    writers = Writers(folder, tmp_path / "acks.txt")
    copy = tmp_path / "elsewhere" / "copy"
    checked = 0
    try:
        for number in range(10 * kills):
            writers.start_and_kill(number, draws.uniform(0.0, 0.15))
            acknowledged = writers.acknowledged()
            shutil.copytree(folder, copy)
            check_copy(copy, acknowledged[checked:])
            shutil.rmtree(copy)
            checked = len(acknowledged)
            kinds = [kind for kind, *_ in acknowledged]
            if number + 1 >= kills and kinds.count("label") > 2 * kills:
                break
    finally:
        writers.close()
    check_copy(folder, acknowledged)
    assert kinds.count("label") > 2 * kills
    assert {"label", "done", "proposed"} <= set(kinds)


def test_killed_writer_loses_nothing_that_was_acknowledged(project_folder, tmp_path):
    kill_many(project_folder, tmp_path, 8)


@pytest.mark.slow
def test_two_hundred_killed_writers_lose_nothing(project_folder, tmp_path):
    kill_many(project_folder, tmp_path, 200)


@contextlib.contextmanager
def child_that(code, *arguments, **options):
    """Run a script that has all it needs imported, and yield its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(HELPERS)},
        **options,
    )
    yield process
    process.kill()
    process.communicate()


PREAMBLE = """
import os, resource, signal, sys, time
from pathlib import Path
import numpy as np
from fakes import FakeSegmenters
from psygnal import emit_queued
from napari_active_seg.errors import ActiveSegError, ProjectError
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session import Session
folder = Path(sys.argv[1])
"""

FULL_DISK = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
region = session.project.regions.queue()[-1].id
rng = np.random.default_rng(0)
now = (folder / "project.db").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (now + 20_000, resource.RLIM_INFINITY))
said = []
session.failed.connect(lambda error: said.append(str(error)))
session.labels.saver._between_tries_s = 0.02
saves = 0
try:
    while True:
        last = rng.integers(0, 2, (16, 16), dtype=np.uint8)
        session.labels.offer(region, last, Effort(strokes=1))
        session.labels.flush()
        saves += 1
except ProjectError as error:
    print(saves, "|", error)
time.sleep(0.2)
emit_queued()
print(len(said), session.state.unsaved == {region})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
session.labels.flush()
emit_queued()
print(session.state.unsaved == frozenset())
print((session.labels.latest(region).target == last).all(),
      session.labels.latest(region).effort.strokes == saves + 1)
session.close()
"""


def test_full_disk_is_said_once_and_the_stroke_is_written_when_there_is_room(painted):
    with child_that(FULL_DISK, painted) as child:
        out, err = child.communicate(timeout=120)
    assert err == ""
    first, second, third, fourth = out.splitlines()
    saves, message = first.split(" | ")
    assert int(saves) > 3
    assert "could not be written" in message and "Free disk space" in message
    assert second.split() == ["1", "True"]  # told once, however often it was tried
    assert third == "True" and fourth == "True True"


READ_ONLY = """
if os.geteuid() == 0:  # root may write anywhere
    os.setgid(65534); os.setuid(65534)
for read_only in (False, True):
    try:
        with Project.open(folder, read_only=read_only) as project:
            print("open", len(project.regions.queue()))
    except ProjectError as error:
        print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the modes of a folder")
def test_folder_that_may_not_be_written_is_refused_in_words_and_can_be_read(painted):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        place = Path(name)
        folder = place / "project"
        shutil.copytree(painted, folder)
        for path in (place, folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        with child_that(READ_ONLY, folder) as child:
            out, err = child.communicate(timeout=60)
        assert err == ""
        refused, opened = out.splitlines()
        assert "could not be written" in refused and "Open it read-only" in refused
        assert opened == "open 3"
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


VANISHING = """
session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
region = session.project.regions.queue()[-1].id
session.labels.offer(region, np.ones((16, 16), np.uint8), Effort(strokes=1))
session.labels.flush()
print("saved", flush=True)
sys.stdin.readline()
session.labels.offer(region, np.zeros((16, 16), np.uint8), Effort(strokes=1))
try:
    session.labels.flush()
except ProjectError as error:
    print(error, flush=True)
sys.stdin.readline()
session.labels.flush()
print("saved", flush=True)
session.close()
"""


def test_drive_that_vanishes_and_comes_back_costs_nothing(painted):
    away = painted.with_name("unplugged")
    with child_that(VANISHING, painted) as child:
        assert child.stdout.readline() == "saved\n"
        painted.rename(away)
        child.stdin.write("\n")
        child.stdin.flush()
        assert "could not be written" in child.stdout.readline()
        away.rename(painted)
        child.stdin.write("\n")
        child.stdin.flush()
        out, err = child.communicate(timeout=60)
    assert (out, err) == ("saved\n", "")
    with Project.open(painted) as project:
        region = project.regions.queue()[-1].id
        assert (project.labels.latest(region).target == 0).all()
        assert len(project.labels.history(region)) == 2
