"""Ctrl-C and a notebook's stop button as a request: work ends at its next step, nothing is torn."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from napari_active_seg.jobs.job import CancelToken

__all__ = ["stop_on_interrupt"]


@contextmanager
def stop_on_interrupt(token: CancelToken) -> Iterator[None]:
    """Let an interrupt cancel ``token``, and raise KeyboardInterrupt once what is inside has ended.

    A second interrupt breaks off at once. Only in the main thread, and only where nobody else
    handles interrupts.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came = False

    def request_stop(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            signal.default_int_handler(number, frame)
        came = True
        token.cancel()

    signal.signal(signal.SIGINT, request_stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
