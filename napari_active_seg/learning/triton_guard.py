"""Keep Triton out of processes that have no GPU.

Triton and Mesa's software OpenGL each carry an LLVM; loading Triton after a window has been
drawn in software crashes the process (a segmentation fault inside ``import triton``, on the
main thread as in a worker). torchvision and torch's optimisers import Triton where it is
installed, and without a GPU it serves nothing.
"""

from __future__ import annotations

import sys

import torch

__all__ = ["keep_triton_out"]


def keep_triton_out() -> None:
    """Make ``import triton`` fail harmlessly, unless there is a GPU or it is loaded already."""
    if "triton" not in sys.modules and not torch.cuda.is_available():
        sys.modules["triton"] = None  # type: ignore[assignment]
