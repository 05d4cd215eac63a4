"""How the desktop feels: opening, jumping, dabbing, scrolling, and a lap that must leave nothing.

    xvfb-run -a python benchmarks/desktop.py            # drawn tissue
    xvfb-run -a python benchmarks/desktop.py SLIDE      # and a slide for the jump

Bars: the dock opens in under 1 s; the next region is drawn in under 100 ms on a plain image and
300 ms on a slide; a dab of the brush takes under 16 ms in Python at the 99th percentile; a strip of
10,000 regions scrolls with no gap over 100 ms; 20 regions leave no layer, no thread and less than
5 MB behind once the first lap is over.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtWidgets import QApplication
from window import Gaps, mouse, until, wait

from napari_active_seg.acquisition import Proposal, ScoredRegion
from napari_active_seg.api import create_project, open_session, write_sample_project
from napari_active_seg.regions import Region, RegionState

LEFT = Qt.MouseButton.LeftButton


def said(what: str, values: list[float], bar: float, unit: str = "ms") -> None:
    """Print the median and the range beside the bar."""
    print(
        f"{what:44} {statistics.median(values):7.1f} {unit}  "
        f"({min(values):.1f} to {max(values):.1f}); bar {bar:g}",
        flush=True,
    )


def drawn(canvas) -> None:
    """Return when the next frame is on the screen, which shows all that was told before."""
    frames: list[int] = []

    def count() -> None:
        frames.append(1)

    canvas.native.frameSwapped.connect(count)
    canvas.native.update()
    end = time.perf_counter() + 5
    while not frames:
        QApplication.processEvents()
        if time.perf_counter() > end:
            raise TimeoutError("the canvas was not painted")
    canvas.native.frameSwapped.disconnect(count)


def jumps(dock, canvas, count: int) -> list[float]:
    """Return milliseconds from *next* to the first drawing, each region unlike the one before."""
    found = []
    for _ in range(count):
        wait(400)
        start = time.perf_counter()
        dock.annotate.next()
        drawn(canvas)
        found.append((time.perf_counter() - start) * 1000)
    return found


def dabs(canvas, count: int) -> np.ndarray:
    """Return milliseconds in Python of each press or move of the brush."""
    native, (height, width) = canvas.native, canvas.size
    found = []
    for number in range(count):
        at = QPoint(width // 2 + (number * 7) % 90 - 45, height // 2 + (number * 13) % 90 - 45)
        kind = QEvent.Type.MouseButtonPress if number % 12 == 0 else QEvent.Type.MouseMove
        start = time.perf_counter()
        mouse(native, kind, at, LEFT)
        found.append((time.perf_counter() - start) * 1000)
        if number % 12 == 11:
            mouse(native, QEvent.Type.MouseButtonRelease, at, LEFT)
        QApplication.processEvents()
    return np.array(found)


def bare_dabs(napari) -> np.ndarray:
    """Return what dabs take in a window of napari with an image and a layer to paint on."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    image = np.random.default_rng(0).integers(0, 255, (528, 784, 3), np.uint8)
    viewer.add_image(image, rgb=True)
    layer = viewer.add_labels(np.zeros((48, 48), np.uint8), translate=(200, 300))
    layer.mode, layer.brush_size = "paint", 4
    viewer.reset_view(layers=[layer], margin=0.3)
    wait(500)
    canvas = viewer.window._qt_viewer.canvas
    dabs(canvas, 60)
    found = dabs(canvas, 1200)
    viewer.close()
    wait(100)
    return found


def lap(dock, count: int) -> None:
    """Paint ``count`` regions and finish them."""
    for _ in range(count):
        dock.painter.fill_rest(1)
        dock.annotate.finish(RegionState.DONE)
        wait(20)
    until(lambda: not dock.context.session.state.unsaved)


def grown(dock, viewer) -> tuple[float, int, int]:
    """Return megabytes, layers and threads that 20 regions leave behind, after a first lap."""
    process = psutil.Process(os.getpid())

    def now() -> tuple[float, int, int]:
        gc.collect()
        return process.memory_info().rss / 1e6, len(viewer.layers), threading.active_count()

    lap(dock, 20)
    before = now()
    lap(dock, 20)
    after = now()
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


def long_queue(session, n: int) -> None:
    """Put ``n`` regions into the queue."""
    refs = session.project.images.all()
    rng = np.random.default_rng(0)
    regions = []
    for number in range(n):
        ref = refs[number % len(refs)]
        y, x = (int(rng.integers(0, length - 16)) for length in ref.shape)
        region = Region(ref.id, y, x, 16, 16)
        regions.append(ScoredRegion(region, float(rng.random()), 10.0, "one of many"))
    proposal = Proposal(1, tuple(regions), "uncertain-regions", n, 0, None, "benchmark")
    session.project.regions.add_proposal(proposal)
    session.context.update(queue=session.project.regions.queue())


def scrolled(strip, seconds: float) -> np.ndarray:
    """Return the gaps of the event loop while the strip scrolls from end to end and back."""
    bar = strip.horizontalScrollBar()
    gaps, end, step = Gaps(), time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        step += 1
        bar.setValue(int(abs((step * 0.004) % 2 - 1) * bar.maximum()))
        wait(12)
    return gaps.stop()


def main() -> None:
    """Open a window and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path, nargs="?")
    asked = parser.parse_args()
    import napari

    with tempfile.TemporaryDirectory() as name:
        os.environ["NAPARI_ACTIVE_SEG_SETTINGS"] = str(Path(name) / "settings.json")
        folder = write_sample_project("histology", Path(name))
        with contextlib.closing(open_session(folder)) as session:
            session.proposals.propose(count=6)
            session.labels.answer_from_masks(Path(name) / "masks")
            session.train()
            session.predict()
            session.proposals.propose(count=60, size=48)
            session.maintenance.configure(unpainted="unlabelled")
        plain = bare_dabs(napari)
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 720)
        wait(500)
        start = time.perf_counter()
        _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
        QApplication.processEvents()
        said("dock opens", [(time.perf_counter() - start) * 1000], 1000)
        dock.context.open(folder)
        dock._show_tab("Annotate")
        until(lambda: dock.context.session.state.job is None)
        wait(1000)
        canvas = viewer.window._qt_viewer.canvas
        jumps(dock, canvas, 3)
        said("next region, plain image", jumps(dock, canvas, 25), 100)
        dabs(canvas, 60)
        found = dabs(canvas, 1200)
        p99 = float(np.percentile(found, 99))
        print(
            f"{'a dab of the brush, p99':44} {p99:7.1f} ms  (median {np.median(found):.1f}); bar 16"
        )
        bare = float(np.percentile(plain, 99))
        print(
            f"{'the same in napari without us, p99':44} {bare:7.1f} ms  "
            f"(median {np.median(plain):.1f}); ours / theirs {p99 / bare:.2f}"
        )
        megabytes, layers, threads = grown(dock, viewer)
        print(
            f"{'20 regions after a first lap':44} {megabytes:+7.1f} MB, {layers:+d} layers, "
            f"{threads:+d} threads; bar 5 MB"
        )
        start = time.perf_counter()
        long_queue(dock.context.session, 10_000)
        wait(50)
        print(
            f"{'10,000 regions into the strip':44} {(time.perf_counter() - start) * 1000:7.0f} ms"
        )
        panel = dock._panels[2]
        wait(500)
        gaps = scrolled(panel.strip, 8)
        print(
            f"{'strip of 10,000 scrolls: longest gap':44} {gaps.max():7.1f} ms  "
            f"(p99 {np.percentile(gaps, 99):.1f}); bar 100"
        )
        said("next region among 10,000", jumps(dock, canvas, 12), 100)
        if asked.slide is not None:
            on_slide(dock, canvas, asked.slide, Path(name))
        dock.release()
        viewer.close()


def on_slide(dock, canvas, slide: Path, work: Path) -> None:
    """Measure the jump from region to region of a slide."""
    images = work / "slides"
    images.mkdir()
    (images / slide.name).symlink_to(slide.resolve())
    made = create_project(work / "slide-project", images_dir=images, classes=["glass", "tissue"])
    dock.context.open(made.folder)
    session = dock.context.session
    session.maintenance.configure(unpainted="unlabelled")
    session.proposals.propose(count=14, size=512, wait=False)
    until(lambda: session.state.job is None, 300)
    wait(1000)
    jumps(dock, canvas, 2)
    said("next region, slide", jumps(dock, canvas, 10), 300)


if __name__ == "__main__":
    main()
