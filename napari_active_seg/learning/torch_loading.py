"""Import torch for this package and leave the rest of the process as it was.

Two things are set while torch loads, and only then:

*OpenMP's threads sleep while they wait.* By default a thread that has nothing to do spins. Where
another process keeps a core busy, spinning threads take turns with those that have work.
``benchmarks/thread_waiting.py`` measures the gain, and the cost on an idle machine. OpenMP reads
the policy once, when its library loads, so the variable is removed again after the import: child
processes and libraries that load later never get it.

*Triton is not imported without a GPU.* Triton and Mesa's software OpenGL each carry an
LLVM; loading Triton after a window has been drawn in software crashes the process (a segmentation
fault inside ``import triton``, on the main thread as in a worker). Torch's compiler imports Triton
where it is installed, and torchvision and the first optimiser import the compiler. Without a GPU,
Triton has no use. The compiler loads once, here; afterwards ``import triton`` works for everybody.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["block_triton", "load_torch"]

_POLICY = "OMP_WAIT_POLICY"


def load_torch() -> None:
    """Import torch, torchvision and torch's compiler; a second call does nothing.

    A wait policy that the person has set, and a torch that is loaded already, stay as they are.
    """
    with _openmp_asleep():
        import torch
    with block_triton():
        import torchvision  # noqa: F401

        torch.optim.SGD([torch.zeros(1)], lr=1.0)  # loads the compiler, whatever torchvision did


@contextmanager
def block_triton() -> Iterator[None]:
    """Let ``import triton`` fail in this thread for a while, where torch has no GPU.

    Other threads, and a Triton that is loaded already, are not affected.
    """
    import torch

    if "triton" in sys.modules or torch.cuda.is_available():
        yield
        return
    blocker = _TritonBlocker(threading.get_ident())
    sys.meta_path.insert(0, blocker)
    try:
        yield
    finally:
        sys.meta_path.remove(blocker)


class _TritonBlocker(MetaPathFinder, Loader):
    """A finder whose Triton cannot be imported by one thread."""

    def __init__(self, thread: int) -> None:
        self._thread = thread

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "triton" and threading.get_ident() == self._thread:
            return ModuleSpec(fullname, self)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError("Triton is not needed without a GPU", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Never called: ``create_module`` raises."""


@contextmanager
def _openmp_asleep() -> Iterator[None]:
    """Let OpenMP's threads sleep while they wait, unless the person chose otherwise.

    Threads that are there already, such as those of numpy, keep their policy.
    """
    if _POLICY in os.environ or "torch" in sys.modules:
        yield
        return
    os.environ[_POLICY] = "PASSIVE"
    try:
        yield
    finally:
        os.environ.pop(_POLICY, None)
