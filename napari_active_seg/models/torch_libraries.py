"""Loads the shared libraries of torch without stopping the other threads of the process.

``import torch`` maps half a gigabyte of libraries while it holds Python's global lock: the window
stands still for a third of a second, and longer on a busy machine. Opened through ``ctypes``, which
gives the lock back during a call, the same libraries load while the window keeps running, and the
import finds them loaded. On Windows torch does this itself.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

__all__ = ["load_torch_libraries"]

_SUFFIXES = {"linux": ".so", "darwin": ".dylib"}
#: In the order in which they need one another.
_NAMES = ("libc10", "libtorch_cpu", "libtorch", "libtorch_python")


def load_torch_libraries() -> None:
    """Load the libraries that ``import torch`` needs; errors are left to the import."""
    suffix = _SUFFIXES.get(sys.platform)
    if suffix is None or "torch" in sys.modules:
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for name in _NAMES:
        path = Path(spec.origin).parent / "lib" / f"{name}{suffix}"
        if path.is_file():
            dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_LOCAL)
