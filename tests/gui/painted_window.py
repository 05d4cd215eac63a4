"""A window in a process of its own: opens a project, paints by the mouse, says so, and waits.

Run by tests that kill it, or that give it another scale.
"""

import json
import sys
from pathlib import Path

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


def main(folder, picture):
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    QTest.qWait(100)
    dock.context.open(Path(folder))
    QTest.qWait(300)
    session = dock.context.session
    dock._show_tab("Annotate")
    dock.annotate.next()
    dock.annotate.choose_class(0)
    dock.annotate.choose_tool("brush")
    QTest.qWait(300)
    queued = session.state.region
    region = queued.region
    dock.annotate.tools.layer.brush_size = 3
    canvas = viewer.window._qt_viewer.canvas
    height, width = canvas.size
    camera = viewer.scene.camera
    for step in range(9):
        y, x = region.y + 16, region.x + 8 + 2 * step
        at = QPoint(
            round(width / 2 + (x - camera.center[-1]) * camera.zoom),
            round(height / 2 + (y - camera.center[-2]) * camera.zoom),
        )
        QTest.mouseMove(canvas.native, at)
        QTest.qWait(5)
        QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=at)
        QTest.qWait(10)
    dock.annotate.choose_tool("smart_fill")
    while session.state.unsaved or session.labels.latest(queued.id) is None:
        QTest.qWait(20)
    if picture:
        viewer.window.screenshot(picture, canvas_only=False, flash=False)
    tabs = dock.tabs
    facts = {
        "region": queued.id,
        "image": region.image_id,
        "painted": int((session.labels.latest(queued.id).target == 0).sum()),
        "row": int((session.labels.latest(queued.id).target[16] == 0).sum()),
        "ratio": float(QApplication.primaryScreen().devicePixelRatio()),
        "wider": [
            tabs.tabText(k)
            for k in range(tabs.count())
            if tabs.widget(k).widget().minimumSizeHint().width() > tabs.widget(k).viewport().width()
            and k == tabs.currentIndex()
        ],
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    QTest.qWait(60_000)


if __name__ == "__main__":
    main(*sys.argv[1:3])
