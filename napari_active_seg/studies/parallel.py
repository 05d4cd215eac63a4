"""Tasks in several processes at the same time, each with a limited number of threads."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Protocol, TypeVar

from napari_active_seg.errors import ModelError

__all__ = ["OnProgress", "ParallelTask", "run_parallel"]

#: Receives how many tasks are done, of how many, and which are running.
OnProgress = Callable[[int, int, str], None]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ParallelTask(Protocol):
    """A task; the one with the key ``after`` must be done before, if any."""

    @property
    def key(self) -> str:
        """The name of the task."""

    @property
    def after(self) -> str:
        """The key of the task that must be done before; empty for none."""


T = TypeVar("T", bound=ParallelTask)


def run_parallel(
    tasks: Sequence[T],
    work: Callable[[T], None],
    *,
    workers: int,
    threads: int,
    on_progress: OnProgress,
) -> None:
    """Call ``work`` for each task in ``workers`` processes; ``work`` and tasks are picklable.

    The processes end within a second of this one, so that two never run the same task. ModelError
    if one of them was killed.
    """
    waiting, done = list(tasks), set[str]()
    running: dict[Future[None], T] = {}
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
                    running[pool.submit(work, task)] = task
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
