"""How long the package and its command line take to import, beside an empty interpreter.

    python benchmarks/import_time.py

Rounds are interleaved, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

STATEMENTS = {
    "empty interpreter": "pass",
    "import napari_active_seg": "import napari_active_seg",
    "import napari_active_seg.cli": "import napari_active_seg.cli",
    "import torch": "import torch",
}
ROUNDS = 11


def seconds(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for statement in STATEMENTS.values():
        seconds(statement)  # fills the disk cache
    for _ in range(ROUNDS):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    empty = statistics.median(times["empty interpreter"])
    print(f"{'':30} median s   quartiles        beyond the empty interpreter")
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:30} {middle:8.3f}   {low:.3f} to {high:.3f}   {middle - empty:8.3f}")


if __name__ == "__main__":
    main()
