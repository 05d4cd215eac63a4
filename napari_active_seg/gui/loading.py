"""Loads modules in the background while a dialog says so and the window keeps responding."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator, Sequence

from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog

__all__ = ["frequent_switches", "import_behind_dialog"]

_LOOK_EVERY_MS = 15
#: So long may a thread that imports keep the interpreter while the window's thread wants it.
_SWITCH_S = 0.0005
_switching = threading.Lock()


@contextlib.contextmanager
def frequent_switches() -> Iterator[None]:
    """Let the window's thread have the interpreter ten times sooner than usual.

    An event takes it dozens of times, and beside a thread that imports each time waits its turn.
    """
    with _switching:
        usual = sys.getswitchinterval()
        sys.setswitchinterval(min(usual, _SWITCH_S))
        try:
            yield
        finally:
            sys.setswitchinterval(usual)


def import_behind_dialog(modules: Sequence[str], text: str) -> None:
    """Return when ``modules`` are loaded; a dialog shows ``text`` until then.

    The error of a module that cannot be loaded is raised here.
    """
    if all(name in sys.modules for name in modules) or QApplication.instance() is None:
        return  # without a window nobody waits, and whoever needs them imports them
    errors: list[BaseException] = []

    def load() -> None:
        try:
            with frequent_switches():
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
