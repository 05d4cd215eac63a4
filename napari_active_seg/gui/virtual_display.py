"""A virtual screen for machines without one, by Xvfb."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from napari_active_seg.errors import MissingExtraError

__all__ = ["has_display", "virtual_display"]


def has_display() -> bool:
    """Return whether a window would be seen."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


@contextmanager
def virtual_display(width: int = 1280, height: int = 720) -> Iterator[str]:
    """Start a screen, point DISPLAY at it, and stop it at the end."""
    program = shutil.which("Xvfb")
    if program is None:
        raise MissingExtraError(
            "there is no display and no Xvfb to make one: "
            "apt-get install xvfb xauth libqt6gui6 libxcb-cursor0"
        )
    reading, writing = os.pipe()
    screen = ("-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp")
    process = subprocess.Popen(
        (program, "-displayfd", str(writing), *screen),
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise MissingExtraError(
                "Xvfb ended before it had a screen; start it by hand to see why"
            )
        os.environ["DISPLAY"] = f":{number}"
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        yield f":{number}"
    finally:
        os.environ.pop("DISPLAY", None)
        process.terminate()
        process.wait(timeout=10)
