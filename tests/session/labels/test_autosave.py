"""The saver: soon, in order, newest first, and never given up."""

import threading
import time

import numpy as np
import pytest

from napari_active_seg.errors import ProjectError
from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session.labels import autosave
from napari_active_seg.session.labels.autosave import LabelAutosaver, PendingLabel


class Disk:
    """Remembers what was written, by whom, and can be full or slow."""

    def __init__(self):
        self.written, self.threads, self.full = [], set(), False
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, unsaved):
        self.may_write.wait(10)
        if self.full:
            raise ProjectError("disk full; free some")
        self.threads.add(threading.current_thread().name)
        self.written.append(unsaved)


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def saver(disk):
    made = LabelAutosaver(disk.write, between_writes_s=0.15, between_tries_s=0.02)
    yield made
    disk.full = False
    disk.may_write.set()
    made.close()


def paint(value, region="r", state=None):
    return PendingLabel(region, state, np.full((4, 4), value, np.uint8), Effort(strokes=1))


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


def test_first_stroke_is_written_at_once_and_the_next_ones_together(disk, saver):
    saver.offer(paint(1))
    until(lambda: len(disk.written) == 1)
    for value in (2, 3, 4):
        saver.offer(paint(value))
    assert len(disk.written) == 1  # not before its time
    assert saver.unsaved == {"r"}
    until(lambda: len(disk.written) == 2)
    assert (disk.written[1].target == 4).all()
    assert disk.written[1].effort.strokes == 3
    assert saver.unsaved == frozenset()
    assert disk.threads == {"active-seg-saver"}


def test_leaving_a_region_does_not_wait_and_keeps_the_last_stroke(disk, saver):
    saver.offer(paint(1))
    until(lambda: disk.written)
    saver.offer(paint(2))
    saver.offer(PendingLabel("r", RegionState.DONE), at_once=True)
    until(lambda: len(disk.written) == 2, seconds=0.1)
    assert disk.written[1].state is RegionState.DONE
    assert (disk.written[1].target == 2).all()


def test_stroke_after_leaving_does_not_take_the_state_back(disk, saver):
    disk.may_write.clear()
    saver.offer(PendingLabel("r", RegionState.DONE), at_once=True)
    saver.offer(paint(5))
    disk.may_write.set()
    saver.flush()
    assert RegionState.DONE in [unsaved.state for unsaved in disk.written]
    assert disk.written[-1].state in (None, RegionState.DONE)


def test_nothing_waits_for_the_disk_but_flush(disk, saver):
    disk.may_write.clear()
    started = time.monotonic()
    for value in range(50):
        saver.offer(paint(value % 3, region=f"r{value}"))
    assert time.monotonic() - started < 0.5
    assert len(saver.unsaved) == 50
    disk.may_write.set()
    saver.flush()
    assert len(disk.written) >= 50 and saver.unsaved == frozenset()


def test_full_disk_is_told_once_and_nothing_is_lost_when_it_is_not(disk, saver):
    said = []
    saver.failed.connect(said.append)
    disk.full = True
    saver.offer(paint(1))
    with pytest.raises(ProjectError, match="disk full"):
        saver.flush()
    saver.offer(paint(2))
    saver.offer(paint(7, region="other"))
    time.sleep(0.2)  # several tries
    assert len(said) == 1
    disk.full = False
    saver.flush()
    newest = {unsaved.region_id: unsaved for unsaved in disk.written}
    assert (newest["r"].target == 2).all() and newest["r"].effort.strokes == 2
    assert (newest["other"].target == 7).all()


def test_flush_does_not_raise_what_a_try_before_it_met(disk, saver):
    disk.full = True
    disk.may_write.clear()
    saver.offer(paint(1))
    until(lambda: saver._writing)  # a try is under way, and is going to meet the full disk
    emptied = Disk()
    saver._write = emptied.write
    raised = []

    def flush():
        try:
            saver.flush()
        except ProjectError as error:
            raised.append(error)

    flushing = threading.Thread(target=flush)
    flushing.start()
    time.sleep(0.05)
    disk.may_write.set()
    flushing.join(5)
    assert raised == [] and saver.unsaved == frozenset()
    assert [int(unsaved.target[0, 0]) for unsaved in emptied.written] == [1]


def test_error_of_any_kind_reaches_whoever_flushes(saver, disk):
    disk.write = lambda _: 1 / 0
    saver._write = disk.write
    saver.offer(paint(1))
    with pytest.raises(ZeroDivisionError):
        saver.flush()
    saver._write = Disk().write


def test_flush_returns_when_what_was_written_was_told_too(disk, saver):
    told = []

    def slowly(unsaved):
        time.sleep(0.1)
        told.append(unsaved.region_id)

    saver.saved.connect(slowly)
    saver.offer(PendingLabel("a", RegionState.DONE, None, Effort()), at_once=True)
    saver.flush()
    assert told == ["a"]


def test_abandoned_labels_come_back_whole_and_are_never_written(disk, saver):
    disk.full = True
    saver.offer(paint(1))
    with pytest.raises(ProjectError, match="disk full"):
        saver.flush()
    saver.offer(paint(2))
    saver.offer(paint(7, region="other"))
    abandoned = {unsaved.region_id: unsaved for unsaved in saver.abandon()}
    assert {name: int(unsaved.target[0, 0]) for name, unsaved in abandoned.items()} == {
        "r": 2,
        "other": 7,
    }
    assert abandoned["r"].effort.strokes == 2
    assert saver.unsaved == frozenset()
    disk.full = False
    saver.flush()
    assert disk.written == []


def test_closing_does_not_take_a_write_that_hangs_for_done(disk, saver, monkeypatch):
    monkeypatch.setattr(autosave, "_END_WITHIN_S", 0.05)
    monkeypatch.setattr(saver, "flush", lambda: None)  # it would wait for the write
    disk.may_write.clear()
    saver.offer(paint(1))
    until(lambda: bool(saver._writing))  # the thread is in it
    with pytest.raises(ProjectError, match="still being written"):
        saver.close()
    disk.may_write.set()
    saver.close()
    assert len(disk.written) == 1
