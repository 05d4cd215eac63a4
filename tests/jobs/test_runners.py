import threading
import time

import pytest

from napari_active_seg.errors import StoppedError
from napari_active_seg.jobs import InlineRunner, Job, ThreadRunner
from napari_active_seg.jobs import runner as jobs_runner


@pytest.fixture(params=[InlineRunner, ThreadRunner])
def runner(request):
    made = request.param()
    yield made
    made.close()


def ends(runner):
    found = []
    runner.finished.connect(found.append)
    return found


def test_results_come_in_the_order_of_submission(runner):
    found = ends(runner)
    for number in range(5):
        runner.submit(Job("count", number, lambda token, report, n=number: n * n))
    runner.wait()
    assert [(f.job.generation, f.result, f.error) for f in found] == [
        (n, n * n, None) for n in range(5)
    ]


def test_an_error_ends_its_job_and_not_the_queue(runner):
    found = ends(runner)

    def fail(token, report):
        raise ValueError("broken")

    runner.submit(Job("bad", 1, fail))
    runner.submit(Job("good", 2, lambda token, report: "fine"))
    runner.wait()
    assert isinstance(found[0].error, ValueError)
    assert found[1].result == "fine"


def test_first_and_last_progress_always_arrive_and_the_rest_is_thinned(runner):
    seen = []
    runner.progressed.connect(seen.append)

    def work(token, report):
        for step in range(1001):
            report(step, 1000, "")

    runner.submit(Job("work", 1, work))
    runner.wait()
    assert (seen[0].done, seen[-1].done) == (0, 1000)
    assert len(seen) < 100


def test_cancel_reaches_the_running_job_and_those_that_wait():
    runner = ThreadRunner()
    found, started = ends(runner), threading.Event()

    def endless(token, report):
        started.set()
        while True:
            token.check()
            time.sleep(0.001)

    runner.submit(Job("endless", 1, endless))
    runner.submit(Job("waiting", 2, lambda token, report: "never"))
    assert started.wait(5)
    runner.cancel()
    runner.wait()
    assert [type(f.error) for f in found] == [StoppedError, StoppedError]
    runner.submit(Job("next", 3, lambda token, report: "goes on"))
    runner.wait()
    assert found[-1].result == "goes on"
    runner.close()


def test_thread_runner_works_elsewhere_and_ends_with_close():
    runner = ThreadRunner()
    found = ends(runner)
    runner.submit(Job("where", 1, lambda token, report: threading.current_thread().name))
    runner.wait()
    assert found[0].result != threading.current_thread().name
    runner.close()
    assert not any(t.name == "active-seg-worker" for t in threading.enumerate())


def test_closing_warns_of_a_job_that_does_not_stop(monkeypatch, caplog):
    monkeypatch.setattr(jobs_runner, "_END_WITHIN_S", 0.05)
    runner, go, started = ThreadRunner(), threading.Event(), threading.Event()

    def deaf(token, report):
        started.set()
        go.wait(10)

    runner.submit(Job("deaf", 1, deaf))
    assert started.wait(5)
    runner.close()
    assert "has not stopped within" in caplog.text
    go.set()
    runner._thread.join(5)
    assert not runner._thread.is_alive()
