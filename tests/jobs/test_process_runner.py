import os
import sys
import time
from pathlib import Path

import psutil
import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)
import work_for_elsewhere as work  # noqa: E402

from napari_active_seg.errors import StoppedError  # noqa: E402
from napari_active_seg.jobs import Job, ProcessRunner  # noqa: E402
from napari_active_seg.jobs.process_runner import WorkerLostError  # noqa: E402


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", HERE)
    made = ProcessRunner()
    made.ended = []
    made.finished.connect(made.ended.append)
    yield made
    made.close()


def ended(runner, do, *, picklable=True):
    runner.submit(Job("work", len(runner.ended), do, picklable=picklable))
    runner.wait()
    return runner.ended[-1]


def test_work_that_may_leave_is_done_elsewhere_and_the_process_is_kept(runner):
    seen = []
    runner.progressed.connect(seen.append)
    first, second = (ended(runner, work.process_id).result for _ in range(2))
    assert first == second == runner.process_id != os.getpid()
    assert any(p.text == "half way" for p in seen)
    assert ended(runner, work.process_id, picklable=False).result == os.getpid()
    assert ended(runner, lambda token, report: 7, picklable=False).result == 7


def test_errors_come_back_with_their_trace_and_the_queue_goes_on(runner):
    error = ended(runner, work.fail).error
    assert isinstance(error, ValueError) and str(error) == "broken there"
    assert "work_for_elsewhere.py" in "".join(error.__notes__)
    odd = ended(runner, work.fail_oddly).error
    assert "OddError: one and two" in str(odd)
    assert ended(runner, work.process_id).error is None


def test_work_that_cannot_travel_is_an_error_and_not_a_crash(runner):
    assert ended(runner, lambda token, report: 7).error is not None
    assert ended(runner, work.process_id).error is None


def test_stop_is_heard_elsewhere(runner):
    runner.progressed.connect(lambda _: runner.cancel())
    assert isinstance(ended(runner, work.wait_for_stop).error, StoppedError)
    runner.progressed.disconnect()
    assert ended(runner, work.process_id).error is None


def test_process_that_is_killed_ends_its_job_and_the_next_gets_a_new_one(runner):
    before = ended(runner, work.process_id).result
    lost = ended(runner, work.die).error
    assert isinstance(lost, WorkerLostError)
    assert "it was killed, most likely because memory ran out" in str(lost)
    assert ended(runner, work.process_id).result not in (before, os.getpid())


def test_process_ends_with_the_runner(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", HERE)
    runner = ProcessRunner()
    runner.ended = []
    runner.finished.connect(runner.ended.append)
    number = ended(runner, work.process_id).result
    runner.submit(Job("work", 1, work.wait_for_stop, picklable=True))
    time.sleep(0.2)
    runner.close()
    assert not psutil.pid_exists(number)
    assert runner.process_id is None
