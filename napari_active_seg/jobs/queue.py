"""The queue of jobs: one runs, the others wait, the image on screen comes first.

What a waiting job needs to know is frozen when its turn comes, so that it sees what the jobs
before it have left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from napari_active_seg.errors import ActiveSegError, BusyError, ProjectError
from napari_active_seg.jobs import CancelToken, Job, JobResult, Progress, Runner
from napari_active_seg.jobs.error_reports import explained
from napari_active_seg.jobs.job import ProgressCallback

__all__ = ["JobQueue", "JobRequest", "Work"]

Work = Callable[[CancelToken, ProgressCallback], object]


@dataclass(frozen=True, slots=True, eq=False)
class JobRequest:
    """A job that was asked for.

    ``prepare`` returns the work once it is its turn. ``urgent`` orders go before others that wait.
    An order that may not ``wait`` is refused while another job runs.
    """

    name: str
    prepare: Callable[[], Work]
    on_result: Callable[[object], None]
    urgent: bool = False
    queueable: bool = False
    picklable: bool = False


class JobQueue:
    """Hands orders to the runner one at a time, and results to whoever ordered."""

    progressed = Signal(Progress)
    failed = Signal(Exception)
    ended = Signal(str, object)  # a job, and its error or None; before ``failed``

    def __init__(
        self,
        runner: Runner,
        folder: Path,
        *,
        on_change: Callable[[tuple[str, ...]], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._runner, self._folder = runner, folder
        self._on_change, self._on_idle = on_change, on_idle
        self._waiting: list[JobRequest] = []
        self._running: JobRequest | None = None
        self._generation = 0
        self._handing_over = self._delivering = False
        self._error: BaseException | None = None
        self.closed = False
        runner.finished.connect(self._deliver, thread="main")
        runner.progressed.connect(self.progressed.emit, thread="main")

    @property
    def names(self) -> tuple[str, ...]:
        """The job that runs, and those that wait in the order in which they will."""
        running = () if self._running is None else (self._running.name,)
        return (*running, *(order.name for order in self._waiting))

    def submit(self, order: JobRequest) -> None:
        """Run an order now or when its turn comes.

        BusyError if it may not wait, or the same is under way already; ProjectError once all is
        closed. What keeps it from being
        frozen is raised at once where it need not wait, and told by ``failed`` otherwise.
        """
        self.check_open()
        if order.name in self.names or (self._running is not None and not order.queueable):
            busy = order.name if order.name in self.names else self.names[0]
            raise BusyError(f"{busy} is under way; wait for it, or stop it first")
        if self._running is not None or self._delivering:
            place = sum(waiting.urgent for waiting in self._waiting) if order.urgent else None
            self._waiting.insert(len(self._waiting) if place is None else place, order)
            self._on_change(self.names)
            return
        self._error = None
        self._hand_over(order, order.prepare())
        self._go_on()

    def check_open(self) -> None:
        """Raise ProjectError where the session was closed."""
        if self.closed:
            raise ProjectError(
                f"the session of {self._folder} is closed; open another one (open_session)"
            )

    def drop(self, name: str) -> None:
        """Take orders called ``name`` back that wait."""
        self._waiting = [order for order in self._waiting if order.name != name]
        self._on_change(self.names)

    def cancel(self) -> None:
        """Stop what runs, within one batch, and forget what waits."""
        self._waiting.clear()
        self._on_change(self.names)
        self._runner.cancel()

    def free_memory(self) -> None:
        """Let the runner let go of what it keeps between jobs; BusyError while one runs."""
        if self._running is not None:
            raise BusyError(f"{self._running.name} is under way; wait for it, or stop it first")
        self._runner.free_memory()

    def wait(self) -> None:
        """Return when nothing runs or waits; raise the first error since it was last so."""
        self._runner.wait()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Stop everything; what still comes back is dropped. Closing twice does no harm."""
        if self.closed:
            return
        self.closed = True
        self._waiting.clear()
        self._running = None
        self._generation += 1
        self._runner.close()
        self._runner.finished.disconnect(self._deliver)
        self._runner.progressed.disconnect(self.progressed.emit)

    def _hand_over(self, order: JobRequest, work: Work) -> None:
        self._generation += 1
        self._running = order
        self._on_change(self.names)
        job = Job(order.name, self._generation, work, picklable=order.picklable)
        self._handing_over = True  # a runner in line delivers before it returns
        try:
            self._runner.submit(job)
        except (
            KeyboardInterrupt
        ):  # of a runner in line, which has delivered: nothing else is wanted
            self._waiting.clear()
            self._on_change(self.names)
            raise
        finally:
            self._handing_over = False

    def _go_on(self) -> None:
        """Hand the next order over, and the next, as long as each ends at once."""
        while self._running is None and self._waiting:
            order = self._waiting.pop(0)
            try:
                work = order.prepare()
            except ActiveSegError as error:
                self._tell(order.name, error)
                continue
            self._hand_over(order, work)
        self._on_change(self.names)

    def _deliver(self, finished: JobResult) -> None:
        order = self._running
        if order is None or finished.job.generation != self._generation:
            return  # the answer to a question that nobody asks any more
        error = finished.error
        self._running, self._delivering = None, True
        try:
            if error is None:
                order.on_result(finished.result)
        except ActiveSegError as not_kept:  # the disk is full, or the project was taken over
            error = not_kept
        finally:
            self._delivering = False
        self._on_idle()
        if error is None:
            self.ended.emit(order.name, None)
        else:
            if not self._waiting:
                self._on_change(())
            self._tell(order.name, explained(error, order.name, self._folder))
        if not self._handing_over:
            self._go_on()

    def _tell(self, name: str, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self.ended.emit(name, error)
        self.failed.emit(error)
