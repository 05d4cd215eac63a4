"""Loads modules in the background while a dialog says so and the window keeps responding."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import threading
from collections.abc import Iterator, Sequence

from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog

__all__ = ["gentle_imports", "import_behind_dialog", "short_turns"]

_LOOK_EVERY_MS = 15
#: So long may a thread keep the interpreter while the window's thread wants it.
_SWITCH_S = 0.0005
_lock = threading.Lock()
_usual: list[float] = []  #: one for each thread that works now


@contextlib.contextmanager
def short_turns() -> Iterator[None]:
    """Let the window's thread have the interpreter ten times sooner than usual.

    An event takes it dozens of times; beside a thread that works it waits for its turn each time.
    """
    with _lock:
        _usual.append(_usual[0] if _usual else sys.getswitchinterval())
        sys.setswitchinterval(min(_usual[0], _SWITCH_S))
    try:
        yield
    finally:
        with _lock:
            usual = _usual.pop()
            if not _usual:
                sys.setswitchinterval(usual)


@contextlib.contextmanager
def gentle_imports() -> Iterator[None]:
    """Import in a thread so that the window's thread hardly notices.

    Modules are hundreds of thousands of objects that stay: a garbage collection would look at all
    of them for half a second at a time. None runs until they are loaded, and later ones leave them
    out. Where nothing had to be loaded, nothing is left out: a closed project can be collected.
    """
    collects, n_loaded = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        with short_turns():
            yield
    finally:
        if len(sys.modules) > n_loaded:
            gc.freeze()
        if collects:
            gc.enable()


def import_behind_dialog(modules: Sequence[str], text: str) -> None:
    """Return when ``modules`` are loaded; a dialog shows ``text`` until then.

    The error of a module that cannot be loaded is raised here.
    """
    if all(name in sys.modules for name in modules) or QApplication.instance() is None:
        return  # without a window nobody waits, and whoever needs them imports them
    errors: list[BaseException] = []

    def load() -> None:
        try:
            with gentle_imports():
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
