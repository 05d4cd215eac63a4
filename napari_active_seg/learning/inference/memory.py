"""How much memory a pass takes, found by running one, and how many passes fit."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["memory_budget", "out_of_memory", "peak_bytes"]

#: Of a GPU's free memory, what a batch of passes may fill.
_SHARE_OF_GPU = 0.8
#: On a CPU batches help small pictures alone (``benchmarks/sampling.py --batches``): where
#: one pass fills its caches, several take more memory without being faster.
_PROCESSOR_BYTES = 16 << 20


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Run ``work`` and return the most bytes of tensors that were alive at once because of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device) - before)
    with _LiveBytes() as live:
        work()
    return live.peak


def memory_budget(device: torch.device) -> int:
    """Return the bytes that a batch of passes may take now."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int((free + idle) * _SHARE_OF_GPU)
    return min(_PROCESSOR_BYTES, psutil.virtual_memory().total // 16)


def out_of_memory(error: BaseException) -> bool:
    """Return whether ``error`` means that memory ran out, on a GPU or a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in words or "not enough memory" in words
    )


class _LiveBytes(TorchFunctionMode):
    """Counts the storages that operations make, and forgets them when they are freed.

    Watches calls of torch's functions, not what they dispatch to: watching that would load
    torch's compiler, which takes more memory than it finds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, int] = {}
        self._total = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        made = out if isinstance(out, tuple | list) else (out,)
        given = {_key(t) for t in (*args, *(kwargs or {}).values()) if isinstance(t, Tensor)}
        for tensor in made:
            if isinstance(tensor, Tensor) and _key(tensor) not in given:
                self._watch(tensor)
        return out

    def _watch(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if key in self._alive or key == 0:
            return
        size = storage.nbytes()
        self._alive[key] = size
        self._total += size
        self.peak = max(self.peak, self._total)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._total -= self._alive.pop(key, 0)


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
