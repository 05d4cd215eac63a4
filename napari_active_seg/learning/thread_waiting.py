"""How torch's threads wait for one another: asleep, so that other programs get the processor.

By default a thread of OpenMP that has nothing to do spins. Where another process keeps a core busy,
the spinning threads take turns with those that have work. `benchmarks/thread_waiting.py` measures
what sleeping gains there, and what it costs on an idle machine.
"""

from __future__ import annotations

import os

__all__ = ["wait_asleep"]


def wait_asleep() -> None:
    """Let OpenMP's threads sleep while they wait, unless the person chose otherwise.

    OpenMP reads this once, when torch loads: call it before. Threads that are there already, such
    as those of numpy, stay as they are.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
