"""A fresh process that opens the dock as the menu does, and reports what the event loop did."""

import json
import sys
import threading


def main():
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication, QProgressDialog

    viewer = napari.Viewer(show=True)
    QTest.qWait(100)
    loaded_before = "napari_active_seg.session" in sys.modules
    turns, texts = [], []

    def look():
        importing = any(t.name == "active-seg-imports" for t in threading.enumerate())
        turns.append(importing and "napari_active_seg.gui.shell.dock" not in sys.modules)
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QProgressDialog):
            texts.append(dialog.labelText())

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(10)
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
    timer.stop()
    facts = {
        "loaded_before": loaded_before,
        "turns": sum(turns),
        "texts": sorted(set(texts)),
        "dock": type(dock).__name__,
        "matplotlib": "matplotlib.figure" in sys.modules,
        "dialog_left": isinstance(QApplication.activeModalWidget(), QProgressDialog),
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    dock.release()
    viewer.close()


if __name__ == "__main__":
    main()
