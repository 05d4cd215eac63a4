"""The training loop: steps of AdamW under a one-cycle schedule, stopped at a word."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from napari_active_seg.learning.batches import Batches
from napari_active_seg.learning.losses import masked_cross_entropy
from napari_active_seg.learning.modes import seeded, training
from napari_active_seg.learning.networks import Network
from napari_active_seg.segmenter import TrainOutcome, TrainStep

__all__ = ["fit"]


def fit(
    network: Network,
    batches: Batches,
    *,
    n_steps: int,
    learning_rate: float,
    seed: int,
    device: torch.device,
    on_step: Callable[[TrainStep], None],
    check_cancelled: Callable[[], None],
) -> TrainOutcome:
    """Train ``network`` in place for ``n_steps`` and return its losses.

    ``check_cancelled`` is called before every step and may raise to stop.
    """
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=learning_rate, total_steps=max(n_steps, 2)
    )
    began, losses = time.perf_counter(), []
    with seeded(seed, device), training(network):
        for step in range(1, n_steps + 1):
            check_cancelled()
            features, target, size = batches.draw(rng)
            logits = network.suffix(network.middle(features), size)
            loss = masked_cross_entropy(logits, target)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
            on_step(TrainStep(step, n_steps, losses[-1]))
    return TrainOutcome(tuple(losses), time.perf_counter() - began)
