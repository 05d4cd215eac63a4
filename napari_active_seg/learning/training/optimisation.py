"""How one training is stepped: how often, by what, how fast, and what is kept in the end."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import nn

from napari_active_seg.errors import ConfigError

__all__ = ["EMA", "OptimiserConfig", "StepInfo", "build_optimiser", "lr_factor"]


N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class OptimiserConfig:
    """Everything about the steps that is decided before the first one.

    ``ema_decay`` is the decay of the weights' running mean, 0 for none; ``patience`` the number of
    evaluations on held-out labels without improvement before an early stop, 0 for none.
    """

    n_steps: int
    learning_rate: float
    optimiser: str = "adamw"
    schedule: str = "one-cycle"
    weight_decay: float = 1e-4
    ema_decay: float = 0.0
    patience: int = 0
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Where in a training a step is: ``step`` counts from 1."""

    step: int
    n_steps: int
    per_epoch: int

    @property
    def share(self) -> float:
        """How much of the training is over with this step, 0 to 1."""
        return self.step / self.n_steps

    @property
    def epoch(self) -> int:
        """Which pass over the labels this is, from 1."""
        return -(-self.step // self.per_epoch)

    @property
    def n_epochs(self) -> int:
        """How many passes over the labels there will be."""
        return -(-self.n_steps // self.per_epoch)

    @property
    def ends_epoch(self) -> bool:
        """Whether all labels were seen once more, on average, after this step."""
        return self.step % self.per_epoch == 0 or self.step == self.n_steps


def lr_factor(schedule: str, share: float) -> float:
    """Return the factor of the learning rate after ``share`` (0 to 1) of the training."""
    if schedule == "one-cycle":  # a rise over three tenths, then a long fall, both cosines
        if share < 0.3:
            return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * share / 0.3)) / 2
        return (1 + math.cos(math.pi * (share - 0.3) / 0.7)) / 2
    if schedule == "cosine":
        return (1 + math.cos(math.pi * share)) / 2
    if schedule == "poly":
        return float((1 - share) ** 0.9)
    if schedule == "constant":
        return 1.0
    raise ConfigError(f"no schedule {schedule!r}")


def build_optimiser(
    parameters: Iterable[nn.Parameter], recipe: OptimiserConfig
) -> torch.optim.Optimizer:
    """Build the optimiser.

    Weight decay is the papers' L2 term with ``adam`` and ``sgd``, and apart from the gradient with
    ``adamw``.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    learning = list(parameters)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(learning, lr=rate, momentum=0.9, weight_decay=decay)
    if recipe.optimiser == "adam":
        return torch.optim.Adam(learning, lr=rate, weight_decay=decay)
    if recipe.optimiser == "adamw":
        # fused: all weights in one go, where a small network's many would be moved one by one
        return torch.optim.AdamW(learning, lr=rate, weight_decay=decay, fused=True)
    raise ConfigError(f"no optimiser {recipe.optimiser!r}")


class EMA(Generic[N]):
    """A running mean of a network's weights, in a network of its own.

    The decay grows to ``decay`` over the first steps, so that a short training is not held back by
    the weights that it began with.
    """

    def __init__(self, network: N, decay: float) -> None:
        self.network: N = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: N, step: int) -> None:
        """Move a little towards ``network``."""
        decay = min(self._decay, (1 + step) / (10 + step))
        own = self.network.state_dict()
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                own[name].lerp_(value, 1 - decay)
            else:
                own[name].copy_(value)
