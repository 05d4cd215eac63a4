"""A window in a process of its own that is opened from the menu and closed in the middle of a job.

Run by ``test_closing.py``. It prints a line of JSON after the event loop has ended: which dialogs
came, and which job was running.
"""

import ctypes
import json
import os
import sys
import traceback
from pathlib import Path

from napari_menus import menu_action
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QLabel, QPushButton

#: Both in our own dialog and in napari's.
ACCEPT = ("Stop and close", "Close")


def main(folder, job, road):
    import napari

    sys.excepthook = fail
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    QTest.qWait(100)
    menu_action(viewer, "Plugins", "Label and train").trigger()
    dock = next(iter(viewer.window.dock_widgets.values()))
    QTest.qWait(100)
    dock.context.open(Path(folder))
    QTest.qWait(300)
    dock._show_tab("Annotate")
    painted = stroke(viewer, dock)
    found = {"dialogs": [], "region": painted, "job": ""}
    session = dock.context.session
    answers = QTimer()
    answers.timeout.connect(lambda: answer(found["dialogs"]))
    answers.start(20)

    def begin():
        start(session, job, Path(folder))
        QTimer.singleShot(0, close)

    def close():
        if job == "training" and not running_long_enough(dock):
            QTimer.singleShot(20, close)
            return
        found["job"] = session.state.job.title if session.state.job else ""
        leave(viewer, road)

    QTimer.singleShot(0, begin)
    napari.run(gui_exceptions=False)
    sys.stdout.write(json.dumps(found) + "\n")


def fail(kind, error, trace):
    """End the process where the script itself goes wrong: napari would show a message and go on."""
    traceback.print_exception(kind, error, trace)
    os._exit(3)


def start(session, job, folder):
    if job == "training":
        session.train(preset="unet", epochs=10_000, wait=False)
    elif job == "predicting":
        session.predict(samples=400, wait=False)
    elif job == "proposing":
        session.proposals.propose(count=4, size=32, wait=False)
    elif job == "exporting":
        session.export("dicom-seg", folder.with_name("exported"), wait=False)


def running_long_enough(dock):
    """Return whether training has reported progress."""
    return dock.bar.value() > 0


def leave(viewer, road):
    if road == "button":
        send_delete_window(viewer)
    elif road == "menu":
        QApplication.setActiveWindow(viewer.window._qt_window)  # a window manager would do it
        menu_action(viewer, "File", "Close Window").trigger()
    elif road == "exit":
        menu_action(viewer, "File", "Exit").trigger()
    else:
        viewer.close()


def answer(seen):
    box = QApplication.activeModalWidget()
    if isinstance(box, QDialog) and box.isVisible():
        buttons = {button.text(): button for button in box.findChildren(QPushButton)}
        label = "\n".join(label.text() for label in box.findChildren(QLabel) if label.text())
        accept = next((buttons[text] for text in ACCEPT if text in buttons), None)
        seen.append(label)
        if accept is not None:
            QTest.mouseClick(accept, Qt.MouseButton.LeftButton)


def stroke(viewer, dock):
    """Paint a line by the mouse in the current region and return the region's id."""
    dock.annotate.next()
    QTest.qWait(200)
    queued = dock.context.session.state.region
    dock.annotate.choose_class(1)
    dock.annotate.choose_tool("brush")
    QTest.qWait(200)
    canvas, camera = viewer.window._qt_viewer.canvas, viewer.scene.camera
    height, width = canvas.size
    for step in range(6):
        y, x = queued.region.y + 16, queued.region.x + 8 + 2 * step
        at = QPoint(
            round(width / 2 + (x - camera.center[-1]) * camera.zoom),
            round(height / 2 + (y - camera.center[-2]) * camera.zoom),
        )
        QTest.mouseMove(canvas.native, at)
        QTest.qWait(5)
        QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=at)
    return queued.id


class ClientMessage(ctypes.Structure):
    """The event by which a window manager asks a window to close."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    )


def send_delete_window(viewer):
    """Press the close button of the window, as far as the window can see."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    window = ctypes.c_ulong(int(viewer.window._qt_window.winId()))
    protocols = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    delete = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    event = ClientMessage(33, 0, 1, None, window.value, protocols, 32, (delete, 0, 0, 0, 0))
    x11.XSendEvent(display, window, 0, ctypes.c_long(0), ctypes.byref(event))
    x11.XFlush(display)
    x11.XCloseDisplay(display)


if __name__ == "__main__":
    main(*sys.argv[1:4])
