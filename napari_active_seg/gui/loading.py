"""Loads modules in the background while a dialog says so and the window keeps responding."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence

from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog

__all__ = ["import_behind_dialog"]

_LOOK_EVERY_MS = 15


def import_behind_dialog(modules: Sequence[str], text: str) -> None:
    """Return when ``modules`` are loaded; a dialog shows ``text`` until then.

    The error of a module that cannot be loaded is raised here.
    """
    if all(name in sys.modules for name in modules) or QApplication.instance() is None:
        return  # without a window nobody waits, and whoever needs them imports them
    errors: list[BaseException] = []

    def load() -> None:
        try:
            for name in modules:
                importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
            errors.append(error)

    thread = threading.Thread(target=load, name="active-seg-imports")
    thread.start()
    dialog = QProgressDialog(text, "", 0, 0, QApplication.activeWindow())
    dialog.setCancelButton(None)
    dialog.setWindowTitle("napari")
    dialog.setWindowModality(Qt.WindowModality.ApplicationModal)  # no second click on the menu
    dialog.setMinimumDuration(0)
    dialog.show()
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: None if thread.is_alive() else loop.quit())
    timer.start(_LOOK_EVERY_MS)
    loop.exec()
    timer.stop()
    thread.join()
    dialog.close()
    dialog.deleteLater()
    if errors:
        raise errors[0]
