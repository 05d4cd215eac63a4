"""The queue of jobs and the futures of their results."""

import threading
from concurrent.futures import CancelledError

import pytest

from napari_active_seg.errors import BusyError, ConfigError, ProjectError, StoppedError
from napari_active_seg.jobs import InlineRunner, JobKind, ThreadRunner
from napari_active_seg.jobs.error_reports import JobFailedError
from napari_active_seg.jobs.queue import JobQueue, JobRequest


@pytest.fixture(params=[InlineRunner, ThreadRunner])
def queue(request, tmp_path):
    made = JobQueue(request.param(), tmp_path, on_change=lambda _: None, on_idle=lambda: None)
    yield made
    made.close()


@pytest.fixture
def threaded(tmp_path):
    made = JobQueue(ThreadRunner(), tmp_path, on_change=lambda _: None, on_idle=lambda: None)
    yield made
    made.close()


def request(kind, work, *, on_result=lambda result: result, **options):
    return JobRequest(kind, lambda: work, on_result, queueable=True, **options)


def give(value):
    return lambda token, report: value


def fail(error):
    def work(token, report):
        raise error

    return work


def wait_until_cancelled(token, report):
    while not token.cancelled:
        threading.Event().wait(0.005)
    token.check()


def test_future_returns_what_on_result_returns(queue):
    future = queue.submit(request(JobKind.PREDICT, give(2), on_result=lambda n: n + 1))
    assert future.result(timeout=10) == 3
    assert future.exception() is None


def test_error_belongs_to_its_future(queue):
    failing = queue.submit(request(JobKind.TRAIN, fail(ConfigError("no"))))
    good = queue.submit(request(JobKind.PREDICT, give("fine")))
    assert good.result(timeout=10) == "fine"
    with pytest.raises(ConfigError, match="no"):
        failing.result(timeout=10)


def test_unforeseen_error_is_reported_in_a_file(queue, tmp_path):
    future = queue.submit(request(JobKind.TRAIN, fail(KeyError("surprise"))))
    assert isinstance(future.exception(timeout=10), JobFailedError)
    (log,) = (tmp_path / "logs").iterdir()
    assert "surprise" in log.read_text() and "training" in log.name


def test_error_of_storing_a_result_is_the_futures(queue):
    def store(_result):
        raise ProjectError("the disk is full")

    future = queue.submit(request(JobKind.TRAIN, give(1), on_result=store))
    with pytest.raises(ProjectError, match="disk is full"):
        future.result(timeout=10)


def test_jobs_of_a_callback_wait_for_those_before(threaded):
    """What a future's callback submits comes after what waits already."""
    order = []
    first = threaded.submit(request(JobKind.PREDICT, give("first")))
    second = threaded.submit(request(JobKind.EVALUATE, give("second")))
    thirds = []
    first.add_done_callback(
        lambda done: thirds.append(threaded.submit(request(JobKind.PREDICT, give("third"))))
    )
    threaded.ended.connect(lambda kind, error: order.append(kind))
    second.result(timeout=10)
    thirds[0].result(timeout=10)
    assert order == [JobKind.PREDICT, JobKind.EVALUATE, JobKind.PREDICT]


def test_result_may_be_awaited_in_another_thread(threaded):
    future = threaded.submit(request(JobKind.PREDICT, give(5)))
    found = []
    waiting = threading.Thread(target=lambda: found.append(future.result(timeout=10)))
    waiting.start()
    threaded.wait()
    waiting.join(10)
    assert found == [5]


def test_waiting_future_is_cancelled_and_running_one_is_not(threaded):
    running = threaded.submit(request(JobKind.TRAIN, wait_until_cancelled))
    waiting = threaded.submit(request(JobKind.PREDICT, give(1)))
    assert not running.cancel() and waiting.cancel()
    threaded.cancel()
    with pytest.raises(StoppedError):
        running.result(timeout=10)
    with pytest.raises(CancelledError):
        waiting.result(timeout=10)
    assert threaded.kinds == ()


def test_close_ends_every_future(threaded):
    running = threaded.submit(request(JobKind.TRAIN, wait_until_cancelled))
    waiting = threaded.submit(request(JobKind.PREDICT, give(1)))
    threaded.close()
    assert isinstance(running.exception(timeout=10), StoppedError)
    assert waiting.cancelled()
    with pytest.raises(ProjectError, match="closed"):
        threaded.submit(request(JobKind.PREDICT, give(1)))


def test_same_kind_twice_is_refused(threaded):
    running = threaded.submit(request(JobKind.TRAIN, wait_until_cancelled))
    with pytest.raises(BusyError, match="training is under way"):
        threaded.submit(request(JobKind.TRAIN, give(1)))
    threaded.cancel()
    assert isinstance(running.exception(timeout=10), StoppedError)


def test_inline_job_cannot_wait_for_the_one_after_it(tmp_path):
    """A verb that is called while a result is stored says so in place of waiting for ever."""
    queue = JobQueue(InlineRunner(), tmp_path, on_change=lambda _: None, on_idle=lambda: None)

    def store(_result):
        return queue.submit(request(JobKind.PREDICT, give(1))).result()

    future = queue.submit(request(JobKind.TRAIN, give(1), on_result=store))
    with pytest.raises(BusyError, match="result is being stored"):
        future.result()
    queue.close()
