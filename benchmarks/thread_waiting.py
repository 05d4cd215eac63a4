"""How long training steps take while another process keeps a core busy, by OpenMP's wait policy.

    python benchmarks/thread_waiting.py

Each round runs the same steps in fresh processes, in turn: threads that spin (torch's default) and
threads that sleep (ours), each with the machine idle and with one busy process. Ratios are pair by
pair, so that a machine that is slow at the time slows both.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys

STEPS = """
import time, torch
torch.manual_seed(0)
layers = [torch.nn.Conv2d(16, 16, 3, padding=1) for _ in range(6)]
network, images = torch.nn.Sequential(*layers), torch.rand(8, 16, 64, 64)
network(images).mean().backward()
began = time.perf_counter()
for _ in range(20):
    network(images).mean().backward()
print(time.perf_counter() - began)
"""
ROUNDS = 5


def seconds(policy: str) -> float:
    env = {**os.environ, "OMP_WAIT_POLICY": policy}
    env.pop("OMP_NUM_THREADS", None)
    ran = subprocess.run(
        [sys.executable, "-c", STEPS], env=env, capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


def keep_busy() -> None:
    while True:
        pass


def main() -> None:
    print(f"{'':18} spinning s   sleeping s   spinning / sleeping (median, lowest to highest)")
    for name, busy in (("idle machine", False), ("one busy process", True)):
        other = multiprocessing.Process(target=keep_busy, daemon=True)
        if busy:
            other.start()
        pairs = [(seconds("ACTIVE"), seconds("PASSIVE")) for _ in range(ROUNDS)]
        if busy:
            other.terminate()
        spinning, sleeping = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratios = sorted(a / b for a, b in pairs)
        print(
            f"{name:18} {spinning:10.2f} {sleeping:12.2f}   {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
