"""Gaps of a real window's event loop: while a person paints, and at the first use of everything.

    xvfb-run -a python benchmarks/window.py            # painting, training in a thread
    xvfb-run -a python benchmarks/window.py --process  # painting, training in a separate process
    xvfb-run -a python benchmarks/window.py --stalls   # the first use of everything

A timer fires every 5 ms; what it is late by is what a person feels. In every round the same script
paints for 10 s, once beside nothing and once beside `unet` in training, in one window. The bar: the
99th percentile with a training is at most 2 times that without.

`--stalls` reports the longest gap of each step of a first session: the dock opens, the sample
project opens, a second project opens, the first figures of Train and Trust are drawn. Every round
is a fresh process. The bar: no gap above 0.3 s. Beside each gap stands the processor time that the
window's own thread took in its busiest gap: on a busy machine the rest is waiting for a processor.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from qtpy.QtCore import QEvent, QEventLoop, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_active_seg.jobs import JobKind

PAINTED_S = 10.0
EVERY_MS = 5
#: The steps of a first session, as they are reported.
STEPS = {
    "napari": "an empty napari window, left alone",
    "dock": "the dock opens",
    "sample": "the sample project opens",
    "second": "a second project opens",
    "trust": "first figures of Trust",
    "train": "first training and its figure",
    "third": "a project opens after training",
}
STALL_BAR_MS = 300


class Gaps:
    """Collects the time between ticks of a timer."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self.own: list[float] = []  #: processor time of this thread in each gap
        self._last, self._last_own = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(EVERY_MS)

    def _tick(self) -> None:
        now, own = time.perf_counter(), time.thread_time()
        self.found.append((now - self._last) * 1000)
        self.own.append((own - self._last_own) * 1000)
        self._last, self._last_own = now, own

    def stop(self) -> np.ndarray:
        """Return the gaps in milliseconds."""
        self._timer.stop()
        return np.array(self.found[5:])


def wait(milliseconds: int) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def until(done, timeout_s: float = 120) -> None:
    """Let the event loop run until ``done()``."""
    end = time.perf_counter() + timeout_s
    while not done():
        if time.perf_counter() > end:
            raise TimeoutError("the window did not get there in time")
        wait(20)


def mouse(widget, kind, at: QPoint, buttons) -> None:
    """Send what a mouse sends."""
    place = QPointF(at)
    button = buttons if kind is not QEvent.Type.MouseMove else Qt.MouseButton.NoButton
    QApplication.sendEvent(
        widget,
        QMouseEvent(
            kind,
            place,
            QPointF(widget.mapToGlobal(at)),
            button,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        ),
    )


def paint(canvas, seconds: float) -> np.ndarray:
    """Paint strokes over the middle of the canvas; return the gaps meanwhile."""
    native, (height, width) = canvas.native, canvas.size
    gaps, end, number = Gaps(), time.perf_counter() + seconds, 0
    left = Qt.MouseButton.LeftButton
    while time.perf_counter() < end:
        y = height // 2 + (number * 17) % 80 - 40
        start = QPoint(width // 2 - 60, y)
        mouse(native, QEvent.Type.MouseButtonPress, start, left)
        for step in range(30):
            mouse(native, QEvent.Type.MouseMove, QPoint(width // 2 - 60 + 4 * step, y), left)
            wait(8)
        mouse(native, QEvent.Type.MouseButtonRelease, start, left)
        wait(60)
        number += 1
    return gaps.stop()


def main() -> None:
    """Open a window, and paint beside nothing and beside a training in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--process", action="store_true")
    parser.add_argument("--stalls", action="store_true", help="measure the first use of everything")
    parser.add_argument("--first-session", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.first_session is not None:
        print(json.dumps(measure_first_session(asked.first_session)))
        return
    if asked.stalls:
        report_stalls(asked.rounds)
        return
    import napari

    from napari_active_seg.api import open_session, write_sample_project

    with tempfile.TemporaryDirectory() as name:
        folder = write_sample_project("histology", Path(name))
        with contextlib.closing(open_session(folder)) as session:
            session.proposals.propose(count=6)
            session.labels.answer_from_masks(Path(name) / "masks")
            session.proposals.propose(count=2)
            session.maintenance.configure(worker="process" if asked.process else "thread")
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 720)
        _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
        dock.context.open(folder)
        session = dock.context.session
        until(lambda: session.state.job is None)
        wait(1000)
        canvas = viewer.window._qt_viewer.canvas
        QTest.mouseMove(canvas.native, QPoint(20, 20))
        rounds = [measured(dock, canvas) for _ in range(asked.rounds)]
        dock.release()
        viewer.close()
    report(rounds, "process" if asked.process else "thread")


def measured(dock, canvas) -> tuple[float, float]:
    """Return the 99th percentile of the gaps, idle and beside a training."""
    session = dock.context.session
    idle = paint(canvas, PAINTED_S)
    session.train(preset="unet", epochs=10_000, resume=False, wait=False)
    heard: list[int] = []
    session.progressed.connect(lambda p: heard.append(p.done))
    until(lambda: len(heard) > 3)  # torch is loaded, steps go on
    busy = paint(canvas, PAINTED_S)
    if session.state.job is not JobKind.TRAIN:
        raise RuntimeError("the training ended before the painting did")
    session.cancel()
    until(lambda: session.state.job is None)
    wait(500)
    if not np.asarray(dock.painter.layer.data).any():
        raise RuntimeError("nothing was painted")
    return float(np.percentile(idle, 99)), float(np.percentile(busy, 99))


def longest_gap(act, done, settle_ms: int = 1500) -> tuple[float, float]:
    """Return the longest gap, and the longest own processor time in one, until all has settled.

    Both in milliseconds.
    """
    gaps = Gaps()
    wait(200)
    started = len(gaps.found)
    act()
    until(done, 600)
    wait(settle_ms)
    gaps.stop()
    return max(gaps.found[started:]), max(gaps.own[started:])


def measure_first_session(folder: Path) -> dict[str, tuple[float, float]]:
    """Return the longest gap of each step of a first session, as ``longest_gap`` does.

    ``folder`` has a project with a model in ``data``; the sample project is written to ``sample``.
    """
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    wait(2000)
    found = {"napari": longest_gap(lambda: None, lambda: True)}
    docks: list = []
    found["dock"] = longest_gap(
        lambda: docks.append(viewer.window.add_plugin_dock_widget("napari-active-seg")[1]),
        lambda: bool(docks),
    )
    from napari_active_seg.gui.panels import project as project_panel

    dock = docks[0]
    panel = dock._panels[0]
    sample, prepared = folder / "sample", folder / "data" / "histology-project"
    sample.mkdir()

    def is_open(project: Path) -> bool:
        session = dock.context.session
        return (
            session is not None
            and session.project.folder == project
            and session.state.job is None
            and dock._binder.later.is_done
        )

    def choose(project: Path) -> None:
        project_panel.ask_folder = lambda *_: project
        panel._open()

    def open_sample() -> None:
        project_panel.ask_folder = lambda *_: sample
        panel._sample("histology")

    def train() -> None:
        dock._show_tab("Train")
        dock.context.session.train(epochs=2, wait=False)

    found["sample"] = longest_gap(open_sample, lambda: is_open(sample / "histology-project"))
    found["second"] = longest_gap(lambda: choose(prepared), lambda: is_open(prepared))
    found["trust"] = longest_gap(lambda: dock._show_tab("Trust"), lambda: True)
    found["train"] = longest_gap(
        train, lambda: dock.context.session.last_training is not None and is_open(prepared)
    )
    found["third"] = longest_gap(
        lambda: choose(sample / "histology-project"), lambda: is_open(sample / "histology-project")
    )
    dock.release()
    viewer.close()
    return found


def report_stalls(rounds: int) -> None:
    """Print the longest gap of each step over fresh processes: median and range."""
    from napari_active_seg.api import open_session, write_sample_project

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        made = write_sample_project("histology", data)
        with contextlib.closing(open_session(made)) as session:
            session.proposals.propose(count=6)
            session.labels.answer_from_masks(data / "masks")
            session.train()
            session.predict()
            session.proposals.propose(count=4)
        settings = folder / "settings.json"
        settings.write_text('{"name": "Anna"}')
        found: dict[str, list[tuple[float, float]]] = {}
        for number in range(rounds):
            work = folder / str(number)
            work.mkdir()
            shutil.copytree(data, work / "data")
            command = [sys.executable, __file__, "--first-session", str(work)]
            env = {**os.environ, "NAPARI_ACTIVE_SEG_SETTINGS": str(settings)}
            done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            for step, longest in json.loads(done.stdout.splitlines()[-1]).items():
                found.setdefault(step, []).append(longest)
    print(f"{'median (range) of the longest gap, ms':36} {'by the clock':>22} {'own time':>22}")
    for step, pairs in found.items():
        clock, own = (
            f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
            for values in zip(*pairs, strict=True)
        )
        print(f"{STEPS[step]:36} {clock:>22} {own:>22}", flush=True)
    print(f"bar {STALL_BAR_MS} ms")


def report(rounds: list[tuple[float, float]], worker: str) -> None:
    """Print medians, ranges and the ratio."""
    for number, name in enumerate(("idle", f"training in a {worker}")):
        values = [found[number] for found in rounds]
        print(
            f"{name:24} p99 of gaps {statistics.median(values):5.1f} ms "
            f"({min(values):.1f} to {max(values):.1f})"
        )
    ratios = [busy / idle for idle, busy in rounds]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); bar 2")


if __name__ == "__main__":
    main()
