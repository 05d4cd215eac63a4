"""Monte-Carlo dropout beside the bare forward passes, and beside baal where it is installed.

    python benchmarks/sampling.py [--networks unet deeplabv3plus dcan] [--rounds 5] [--device cuda]
    python benchmarks/sampling.py --batches        how passes share a batch
    python benchmarks/sampling.py --growth         memory over the number of passes
    python benchmarks/sampling.py --precisions     float32 beside bfloat16 and torch.compile
    python benchmarks/sampling.py --parts          single steps beside how torch does them

The same weights and picture (528 x 784, two classes, 20 passes), the same threads and precision.
Each measurement is a process of its own, so that peaks of memory are its own too; rounds are
interleaved. What is compared:

- ours: moments and BALD, as the program makes them;
- limit: the forward passes that are needed, and nothing else: the fixed part once, the rest 20
  times;
- baal: MCDropoutModule, ModelWrapper.predict_on_batch as it comes, its BALD
  (``pip install baal``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.nn import functional

from napari_active_seg.learning.inference import (
    Member,
    NetworkPasses,
    Sampler,
    TorchMomentStream,
    image_to_tensor,
)
from napari_active_seg.learning.inference.dropout_masks import PassMasks
from napari_active_seg.learning.module_modes import evaluating, sampling_dropout, seeded
from napari_active_seg.learning.networks import Features, Network, unet
from napari_active_seg.learning.networks.auxiliary_heads import AuxiliaryHeads
from napari_active_seg.learning.networks.preprocessing import upsample
from napari_active_seg.learning.networks.registry import build_network
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.uncertainty import get_measure

SIZE, PASSES = (528, 784), 20
WAYS = ("ours", "limit", "baal")
CONVOLUTIONS = ("convolution", "conv2d", "conv_transpose", "addmm", "bmm", "gemm", "matmul", "::mm")


def picture(size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)


def network(name: str, device: torch.device) -> Network:
    with seeded(0, torch.device("cpu")):
        made = build_network(name, 2).network
    return made.eval().to(device).to(memory_format=torch.channels_last)


def sampler(net: Network, device: torch.device) -> Sampler:
    return Sampler([Member(NetworkPasses(net, device), AuxiliaryHeads())], device)


def ours(name: str, device: torch.device, precision: str = "float32") -> Callable[[int], None]:
    asked, image, bald = sampler(network(name, device), device), picture(), get_measure("bald")

    def work(passes: int) -> None:
        plan = InferenceOptions(samples=passes, precision=precision)
        bald.compute(asked.outputs(image, plan, lambda: None).moments)

    return work


def limit(name: str, device: torch.device) -> Callable[[int], None]:
    net, image = network(name, device), image_to_tensor(picture(), device)

    def work(passes: int) -> None:
        with torch.inference_mode(), sampling_dropout(net):
            features = net.middle(net.prefix(image))
            for _ in range(passes):
                net.suffix(features, SIZE)

    return work


def baal(name: str, device: torch.device) -> Callable[[int], None]:
    from baal.active.heuristics import BALD
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    patched = MCDropoutModule(network(name, device))
    wrapper = ModelWrapper(patched, TrainingArgs(use_cuda=device.type == "cuda"))
    wrapper.eval()
    image = image_to_tensor(picture(), device)

    def work(passes: int) -> None:
        with torch.no_grad():
            logits: Tensor = wrapper.predict_on_batch(image, iterations=passes)
            BALD().compute_score(logits.softmax(dim=1).cpu().numpy())

    return work


MAKERS = {"ours": ours, "limit": limit, "baal": baal}


def measure(way: str, name: str, device: torch.device, passes: int) -> dict[str, float]:
    """Return seconds of one run after a short one, and peaks of memory in MB."""
    work = MAKERS[way](name, device)
    before = psutil.Process().memory_info().rss / 2**20
    work(2)
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
    began = time.perf_counter()
    work(passes)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak": peak, "growth": peak - before}


def in_a_process(way: str, name: str, device: str, passes: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", way, "--networks", name]
    command += ["--device", device, "--passes", str(passes)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(out.strip().splitlines()[-1])
    return found


def compare(names: list[str], rounds: int, device: str) -> None:
    ways = [w for w in WAYS if w != "baal" or importlib.util.find_spec("baal")]
    if "baal" not in ways:
        print("baal is not installed; pip install baal to compare with it")
    megapixels = SIZE[0] * SIZE[1] / 1e6
    for name in names:
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                found[way].append(in_a_process(way, name, device, PASSES))
        print(f"\n{name}, {SIZE[0]} x {SIZE[1]}, {PASSES} passes, {rounds} rounds, {device}")
        for way in ways:
            seconds = [f["seconds"] for f in found[way]]
            peak, growth = (statistics.median(f[k] for f in found[way]) for k in ("peak", "growth"))
            ratios = sorted(
                f["seconds"] / o["seconds"] for f, o in zip(found[way], found["ours"], strict=True)
            )
            print(
                f"  {way:6}{statistics.median(seconds):8.2f} s   {statistics.median(ratios):5.2f} "
                f"times ours ({ratios[0]:.2f} to {ratios[-1]:.2f})   peak {peak:6.0f} MB, beyond "
                f"the network's own {growth:6.0f} MB   "
                f"{megapixels / statistics.median(seconds):6.2f} Mpx/s"
            )
        by_limit = [
            o["seconds"] / x["seconds"] for o, x in zip(found["ours"], found["limit"], strict=True)
        ]
        print(f"  ours takes {statistics.median(by_limit):.2f} times the limit")
        print(f"  share of our time that is not convolution: {other_share(name, device):.0%}")


def other_share(name: str, device: str) -> float:
    """Return the share of the operators' time that is neither convolution nor matrix product."""
    where = torch.device(device)
    work = ours(name, where)
    work(2)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if where.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profile:
        work(PASSES)
    key = "self_device_time_total" if where.type == "cuda" else "self_cpu_time_total"
    rows = [(row.key, getattr(row, key)) for row in profile.key_averages()]
    total = sum(t for _, t in rows)
    convolved = sum(t for k, t in rows if any(part in k for part in CONVOLUTIONS))
    return 1 - convolved / total


def batches(device: torch.device) -> None:
    for name in ("fast", "unet"):
        net = network(name, device)
        for size in ((128, 128), (256, 256), SIZE):
            row = []
            with torch.inference_mode(), sampling_dropout(net):
                features = net.middle(net.prefix(image_to_tensor(picture(size), device)))
                for count in (1, 2, 4, 8):
                    repeated = tuple(f.expand(count, *f.shape[1:]) for f in features)
                    times = []
                    for _ in range(9):
                        began = time.perf_counter()
                        net.suffix(repeated, size)
                        times.append((time.perf_counter() - began) / count)
                    row.append(1000 * statistics.median(times[2:]))
            shown = "   ".join(f"{c}: {t:6.2f}" for c, t in zip((1, 2, 4, 8), row, strict=True))
            print(f"{name:5} {size[0]:4} x {size[1]:<4} ms a pass, by passes at once   {shown}")


def growth(names: list[str], device: str) -> None:
    for name in names:
        peaks = {t: in_a_process("ours", name, device, t)["peak"] for t in (2, 20, 100)}
        print(name, "   ".join(f"{t} passes: peak {peak:.0f} MB" for t, peak in peaks.items()))


def precisions(names: list[str], device: torch.device) -> None:
    for name in names:
        works = {p: ours(name, device, p) for p in ("float32", "bfloat16")}
        plain, compiled = network(name, device), network(name, device)
        compiled.suffix = torch.compile(compiled.suffix)  # type: ignore[method-assign]
        image = image_to_tensor(picture(), device)

        def passes(net: Network, count: int) -> None:
            with torch.inference_mode(), evaluating(net):
                features = net.middle(net.prefix(image))  # noqa: B023 - called in this round
                for _ in range(count):
                    net.suffix(features, SIZE)

        works["plain passes"] = lambda n, net=plain: passes(net, n)
        works["compiled passes"] = lambda n, net=compiled: passes(net, n)
        times: dict[str, list[float]] = {key: [] for key in works}
        for number in range(6):
            for key, work in works.items():
                began = time.perf_counter()
                try:
                    work(5)
                except Exception as error:  # noqa: BLE001 - a compiler may be missing
                    print(f"{name} {key}: {type(error).__name__}")
                    continue
                if number:
                    times[key].append(time.perf_counter() - began)
        for key, found in times.items():
            if found:
                print(f"{name:14} {key:16} {statistics.median(found):.3f} s for 5 passes")


def parts() -> None:
    """Print milliseconds of single steps, ours and torch's, rounds interleaved, on a processor."""
    probe = [
        sys.executable,
        "-c",
        "import psutil, torch; print(psutil.Process().memory_info().rss)",
    ]
    rss = int(subprocess.run(probe, check=True, capture_output=True, text=True).stdout)
    print(f"a process that imported torch alone: {rss / 2**20:.0f} MB")
    stream, logits = TorchMomentStream(), torch.randn(1, 2, *SIZE)
    stream.add(logits)
    moments, bald = stream.moments(), get_measure("bald")
    dropout = torch.nn.Dropout(0.1)
    planes = torch.rand(1, 256, 132, 196).to(memory_format=torch.channels_last)
    net, at_once = network("unet", torch.device("cpu")), unet._double_and_convolve
    with torch.inference_mode():
        features = net.prefix(image_to_tensor(picture(), torch.device("cpu")))
    two = torch.rand(1, 2, 264, 392).to(memory_format=torch.channels_last)
    masks = PassMasks(_OneLayer(dropout), 0)

    def ours_dropped() -> None:
        with masks:
            masks.at(0, 1, size=SIZE)
            dropout(planes)

    def one_after_the_other(x: Tensor, weight: Tensor) -> Tensor:
        doubled = functional.interpolate(x, scale_factor=2, mode="nearest")
        return functional.conv2d(doubled, weight, padding=1)

    def decoded(doubling: Callable[[Tensor, Tensor], Tensor]) -> None:
        unet._double_and_convolve = doubling
        net.suffix(features, SIZE)

    ways: dict[str, Callable[[], object]] = {
        "moments of a pass, 2 classes": lambda: stream.add(logits),
        "BALD of the moments": lambda: bald.compute(moments),
        "masks of single pixels, ours": ours_dropped,
        "masks of single pixels, torch's": lambda: functional.dropout(planes, 0.1, training=True),
        "a pass of unet, doubling in the convolution": lambda: decoded(at_once),
        "a pass of unet, doubling before": lambda: decoded(one_after_the_other),
        "two planes enlarged, one after the other": lambda: upsample(two, 2, SIZE),
        "two planes enlarged, interleaved": lambda: functional.interpolate(
            two, scale_factor=2, mode="bilinear"
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(25):
            for name, work in ways.items():
                began = time.perf_counter()
                work()
                times[name].append(1000 * (time.perf_counter() - began))
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found[2:], n=4)
        print(f"{name:44} {middle:7.2f} ms ({low:.2f} to {high:.2f})")


class _OneLayer(Network):
    """A network of one dropout layer."""

    def __init__(self, layer: torch.nn.Dropout) -> None:
        super().__init__()
        self.layer = layer

    def prefix(self, images: Tensor) -> Features:
        return (images,)

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        del size
        dropped: Tensor = self.layer(features[0])
        return dropped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["unet", "deeplabv3plus", "dcan"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--child", choices=WAYS)
    for flag in ("--batches", "--growth", "--precisions", "--parts"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    device = torch.device(given.device)
    if given.child:
        print(json.dumps(measure(given.child, given.networks[0], device, given.passes)))
    elif given.batches:
        batches(device)
    elif given.growth:
        growth(given.networks, given.device)
    elif given.parts:
        parts()
    elif given.precisions:
        precisions(given.networks, device)
    else:
        compare(given.networks, given.rounds, given.device)


if __name__ == "__main__":
    main()
