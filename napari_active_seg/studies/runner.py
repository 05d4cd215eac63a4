"""Run the tasks of a study, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from napari_active_seg.studies.arm import OnRound
from napari_active_seg.studies.parallel import OnProgress, run_parallel
from napari_active_seg.studies.settings import BaseArmSettings

__all__ = ["StudyTask", "run_tasks"]

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
        work = partial(_run_silently, run)
        run_parallel(tasks, work, workers=workers, threads=threads, on_progress=on_progress)
    on_progress(len(tasks), len(tasks), "done")


def _run_silently(run: Callable[[StudyTask[A], OnRound], None], task: StudyTask[A]) -> None:
    run(task, _ignore)


def _ignore(_round: str) -> None:
    """Ignore the rounds of a worker: the waiting process reports which tasks are running."""
