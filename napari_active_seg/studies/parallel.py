"""Pieces of work in processes beside each other, each held to so many threads."""

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

#: Told how many pieces are done, of how many, and what is under way.
OnProgress = Callable[[int, int, str], None]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ParallelTask(Protocol):
    """A piece that runs by itself; the one called ``after`` must be done before, if any."""

    @property
    def key(self) -> str:
        """What it is called."""

    @property
    def after(self) -> str:
        """What must be done before; empty for nothing."""


P = TypeVar("P", bound=ParallelTask)


def run_parallel(
    pieces: Sequence[P],
    work: Callable[[P], None],
    *,
    workers: int,
    threads: int,
    on_progress: OnProgress,
) -> None:
    """Let ``workers`` processes do ``work`` for each piece; ``work`` and pieces are picklable.

    They end within a second of this process, so that two never work on one piece. ModelError if
    one of them was killed.
    """
    waiting, done = list(pieces), set[str]()
    running: dict[Future[None], P] = {}
    context = multiprocessing.get_context("spawn")
    with (
        _threads(threads),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool,
    ):
        try:
            while waiting or running:
                ready = [piece for piece in waiting if not piece.after or piece.after in done]
                for piece in ready[: workers - len(running)]:
                    waiting.remove(piece)
                    running[pool.submit(work, piece)] = piece
                words = " and ".join(piece.key for piece in running.values())
                on_progress(len(done), len(pieces), words)
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                    done.add(running.pop(future).key)
        except BrokenProcessPool as error:
            raise ModelError(
                "a process of the study was killed, for want of memory perhaps; the same command "
                "goes on where it stopped, with fewer --workers if need be"
            ) from error
        except BaseException:
            for future in running:
                future.cancel()
            for process in list(pool._processes.values()):  # noqa: SLF001  # else it waits for all
                process.terminate()
            raise


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: two must not work on one arm."""
    parent = multiprocessing.parent_process()

    def wait_for_its_end() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait_for_its_end, daemon=True).start()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Hold processes that are started meanwhile to so many threads."""
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
