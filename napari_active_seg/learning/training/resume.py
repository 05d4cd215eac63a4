"""Training checkpoints on the disk, so that a killed training resumes from its last epoch.

Everything that decides the steps to come is written: weights, their running mean, the state of
every optimiser and of every generator of random numbers, the losses so far. So the rest of a
resumed training is, bit for bit, that of one that was never killed. The file is safetensors
with a header of JSON; nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from napari_active_seg._util.atomic_write import atomic_write

__all__ = ["ResumeState", "TrainingCheckpoint", "TrainingState"]

_FORMAT = "napari-active-seg training 1"
#: Writing may take this share of the time, and is not worth a disk's wear more often than this.
_SHARE_OF_TIME, _LEAST_APART_S = 0.05, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """The parts of a training that change with its steps."""

    modules: Mapping[str, nn.Module]
    optimisers: Sequence[torch.optim.Optimizer]
    rng: np.random.Generator
    device: torch.device

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor under a name."""
        named = {
            f"{name}/{key}": value
            for name, module in self.modules.items()
            for key, value in module.state_dict().items()
        }
        for number, optimiser in enumerate(self.optimisers):
            for index, state in optimiser.state_dict()["state"].items():
                for key, value in state.items():
                    if isinstance(value, Tensor):
                        named[f"optimiser {number}/{index}/{key}"] = value
        named["random/cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            named["random/cuda"] = torch.cuda.get_rng_state(self.device)
        return named

    def restore(self, tensors: Mapping[str, Tensor], numpy_state: Mapping[str, Any]) -> None:
        """Restore the state from tensors."""
        for name, module in self.modules.items():
            module.load_state_dict(_below(tensors, f"{name}/"))
        for number, optimiser in enumerate(self.optimisers):
            moved = [p for group in optimiser.param_groups for p in group["params"]]
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, f"optimiser {number}/").items():
                index, _, name = key.partition("/")
                state.setdefault(int(index), {})[name] = _restore_layout(moved[int(index)], value)
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": state, "param_groups": groups})
        torch.set_rng_state(tensors["random/cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random/cuda"], self.device)
        self.rng.bit_generator.state = dict(numpy_state)


@dataclass(frozen=True, slots=True)
class ResumeState:
    """The facts of an unfinished training, in the file of its tensors."""

    losses: tuple[float, ...]
    held_out: tuple[tuple[int, float], ...]
    best_loss: float
    looks_since: int


class TrainingCheckpoint:
    """Saves the state of a training, and finds one that was not finished.

    ``signature`` names the data, the plan and the start: another one's file is not gone on from.
    """

    def __init__(self, path: Path | None, signature: str) -> None:
        self._path, self._signature = path, signature
        self._written_at, self._took = -math.inf, 0.0

    def find(self, state: TrainingState) -> tuple[ResumeState, dict[str, Tensor]] | None:
        """Restore what was written for this training; None if there is nothing that fits.

        The tensors of the best state so far are returned with the facts.
        """
        if self._path is None or not self._path.is_file():
            return None
        try:
            with safetensors.safe_open(self._path, framework="pt", device="cpu") as file:
                header = dict(file.metadata() or {})
                if header.get("format") != _FORMAT or header["signature"] != self._signature:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                facts = json.loads(header["facts"])
            state.restore(tensors, facts.pop("random"))
        except (safetensors.SafetensorError, OSError, LookupError, ValueError, RuntimeError):
            return None  # damaged: the training starts over
        found = ResumeState(
            tuple(facts["losses"]),
            tuple((int(step), loss) for step, loss in facts["held_out"]),
            float(facts["best_loss"]),
            facts["looks_since"],
        )
        return found, _below(tensors, "best/")

    def keep(self, state: TrainingState, facts: ResumeState, best: Mapping[str, Tensor]) -> None:
        """Save the state, unless that would take too much of the time or was just done.

        A disk that is full costs the way back, not the training.
        """
        now = time.perf_counter()
        apart = max(_LEAST_APART_S, self._took / _SHARE_OF_TIME)
        if self._path is None or now - self._written_at < apart:
            return
        tensors = state.tensors() | {f"best/{name}": value for name, value in best.items()}
        header = {
            "format": _FORMAT,
            "signature": self._signature,
            "facts": json.dumps(
                {
                    "losses": facts.losses,
                    "held_out": facts.held_out,
                    "best_loss": str(facts.best_loss),
                    "looks_since": facts.looks_since,
                    "random": state.rng.bit_generator.state,
                }
            ),
        }
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        with (
            contextlib.suppress(OSError, safetensors.SafetensorError),
            atomic_write(self._path, root=self._path.parents[1]) as begun,
        ):
            safetensors.torch.save_file(plain, begun, metadata=header)
        self._written_at = time.perf_counter()
        self._took = self._written_at - now


def _restore_layout(parameter: Tensor, value: Tensor) -> Tensor:
    """Return ``value`` in the order in memory of its parameter.

    A fused step walks through both as they lie, and files hold all tensors row by row.
    """
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
