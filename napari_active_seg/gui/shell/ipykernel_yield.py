"""The cells of a live notebook get their turn while the window waits for a person.

A kernel that drives Qt runs two loops in one thread, its own and Qt's, by turns. From release 7
on, ipykernel can enter Qt's loop after it has taken a cell in and before it runs it; the cell then
waits for the next message, and whoever sent the cell waits for the cell. So Qt's loop is left
many times a second, as the kernel itself does where it has something to do later.
"""

from __future__ import annotations

import sys
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

__all__ = ["give_cells_turns"]

#: A cell that was left waiting begins at most so much later.
_EVERY_MS = 50
_NAME = "active-seg-cell-turns"


def give_cells_turns() -> None:
    """Leave Qt's loop again and again where a kernel is around it; do nothing elsewhere."""
    kernel, application = _kernel(), QApplication.instance()
    if kernel is None or application.findChild(QTimer, _NAME) is not None:
        return
    timer = QTimer(application)  # lives on when this window is closed: cells still come
    timer.setObjectName(_NAME)
    timer.timeout.connect(lambda: _leave(kernel.eventloop))
    timer.start(_EVERY_MS)


def _kernel() -> Any:
    """Return the kernel that runs this process; None in scripts and programs."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None)


def _leave(eventloop: Any) -> None:
    leave = getattr(eventloop, "_schedule_exit", None)  # there once Qt's loop has run
    if leave is not None:
        leave(0)
