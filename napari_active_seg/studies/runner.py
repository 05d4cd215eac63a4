"""Run the tasks of a study, in this process or in several at the same time."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from napari_active_seg.errors import ModelError
from napari_active_seg.studies.arm import OnRound
from napari_active_seg.studies.settings import BaseArmSettings

__all__ = ["OnProgress", "StudyTask", "run_tasks"]

#: Receives how many tasks are done, of how many, and which are running.
OnProgress = Callable[[int, int, str], None]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
A = TypeVar("A", bound=BaseArmSettings)


@dataclass(frozen=True, slots=True)
class StudyTask(Generic[A]):
    """An arm and a seed to run; the task with the key ``after`` must be done before, if any."""

    arm: A
    seed: int
    key: str
    after: str = ""
    kind: str = "arm"


def run_tasks(
    tasks: Sequence[StudyTask[A]],
    run: Callable[[StudyTask[A], OnRound], None],
    *,
    workers: int,
    threads: int,
    on_progress: OnProgress,
) -> None:
    """Call ``run`` for each task.

    Parameters
    ----------
    tasks
        In the order in which they start.
    run
        Runs a task and reports its rounds; picklable if there are workers.
    workers
        How many processes run tasks at the same time; 0 runs them in this process.
    threads
        Threads of each worker; this process keeps the number that it has.
    on_progress
        Receives how many tasks are done, of how many, and which are running.
    """
    if workers < 1:
        for number, task in enumerate(tasks):
            run(task, partial(on_progress, number, len(tasks)))
    else:
        _run_parallel(tasks, run, workers=workers, threads=threads, on_progress=on_progress)
    on_progress(len(tasks), len(tasks), "done")


def _ignore(_round: str) -> None:
    """Ignore the rounds of a worker: the waiting process reports which tasks are running."""


def _run_parallel(
    tasks: Sequence[StudyTask[A]],
    run: Callable[[StudyTask[A], OnRound], None],
    *,
    workers: int,
    threads: int,
    on_progress: OnProgress,
) -> None:
    """Call ``run`` for each task in ``workers`` processes; ``run`` and tasks are picklable.

    The processes end within a second of this one, so that two never run the same task. ModelError
    if one of them was killed.
    """
    waiting, done = list(tasks), set[str]()
    running: dict[Future[None], StudyTask[A]] = {}
    context = multiprocessing.get_context("spawn")
    with (
        _threads(threads),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool,
    ):
        try:
            while waiting or running:
                ready = [task for task in waiting if not task.after or task.after in done]
                for task in ready[: workers - len(running)]:
                    waiting.remove(task)
                    running[pool.submit(run, task, _ignore)] = task
                running_keys = " and ".join(task.key for task in running.values())
                on_progress(len(done), len(tasks), running_keys)
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                    done.add(running.pop(future).key)
        except BrokenProcessPool as error:
            raise ModelError(
                "a process of the study was killed, perhaps because memory ran out; run the same "
                "command again to resume, with fewer --workers if needed"
            ) from error
        except BaseException:
            for future in running:
                future.cancel()
            for process in list(pool._processes.values()):  # noqa: SLF001  # else it waits for all
                process.terminate()
            raise


def _end_with_parent() -> None:
    """End this process with the one that started it: two must not run the same arm."""
    parent = multiprocessing.parent_process()

    def wait_for_its_end() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait_for_its_end, daemon=True).start()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Limit the threads of processes that start within the context."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
