"""Choosing the device of torch, and describing the devices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from napari_active_seg.errors import ConfigError

__all__ = ["device_facts", "leave_core_free", "resolve_device"]


def resolve_device(name: str) -> torch.device:
    """Return the device called ``auto``, ``cpu`` or ``cuda``; ConfigError if it is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device is there for torch; use --device cpu, or see 'doctor'")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:  # under torchrun each process has its own
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return torch.device(name)


@contextmanager
def leave_core_free(active: bool) -> Iterator[None]:
    """Limit torch to all cores but one for a while where ``active``, so that a window stays fluent.

    The limit is that of the process, other plugins included, so it ends with our own work.
    """
    if not active:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, (os.cpu_count() or 2) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device_facts() -> dict[str, str]:
    """Describe the devices of torch."""
    facts = {"torch": torch.__version__, "processor": f"{os.cpu_count()} cores"}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            memory = properties.total_memory / 2**30
            facts[f"GPU {index}"] = f"{properties.name}, {memory:.0f} GiB"
    else:
        facts["GPU"] = "none that torch can use; training runs on the processor"
    return facts
