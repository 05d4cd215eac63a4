"""The training loop: steps of AdamW under a one-cycle schedule, stopped at a word."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from napari_active_seg.learning.batches import Batch, Batches
from napari_active_seg.learning.losses import heads_loss, pixel_losses, ranking_loss
from napari_active_seg.learning.modes import seeded, training
from napari_active_seg.learning.networks import Features, Network
from napari_active_seg.learning.networks.companions import LossPredictor
from napari_active_seg.regions import UNLABELLED
from napari_active_seg.segmenter import TrainOutcome, TrainStep

__all__ = ["fit"]

#: Share of the training after which foretelling the loss no longer moves the network itself.
_LOSS_LEARNS_ALONE_AFTER = 0.6
#: Single levels of a decoder count ever less: their weight falls to a tenth over so many epochs.
_AUXILIARY_EPOCHS = 300


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
    loss_predictor: LossPredictor | None = None,
) -> TrainOutcome:
    """Train ``network`` in place for ``n_steps`` and return its losses.

    ``check_cancelled`` is called before every step and may raise to stop. ``loss_predictor`` is
    trained along, by ranking, and its own loss is not among those that come back.
    """
    rng = np.random.default_rng(seed)
    learning = [p for p in network.parameters() if p.requires_grad]
    if loss_predictor is not None:
        learning += list(loss_predictor.parameters())
    optimiser = torch.optim.AdamW(learning, lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=learning_rate, total_steps=max(n_steps, 2)
    )
    began, losses = time.perf_counter(), []
    with seeded(seed, device), training(network):
        for step in range(1, n_steps + 1):
            check_cancelled()
            batch = batches.draw(rng)
            features = network.middle(batch.features)
            heads = network.heads(features, batch.size)
            weight = 0.1 ** (step / batches.per_epoch / _AUXILIARY_EPOCHS)
            loss = heads_loss(heads, batch.target, batch.contour, auxiliary_weight=weight)
            total = loss
            if loss_predictor is not None:
                stages = network.stages(features)
                if step > _LOSS_LEARNS_ALONE_AFTER * n_steps:
                    stages = tuple(stage.detach() for stage in stages)
                total = loss + _foretelling(loss_predictor, stages, heads.logits, batch, network)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(total)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
            on_step(TrainStep(step, n_steps, losses[-1]))
    return TrainOutcome(tuple(losses), time.perf_counter() - began)


def _foretelling(
    predictor: LossPredictor, stages: Features, logits: Tensor, batch: Batch, network: Network
) -> Tensor:
    """Return how badly the expected losses rank the actual ones.

    What is ranked are crops, by the mean over their labelled pixels; or single pixels, where a
    batch is made of pixels that do not lie together.
    """
    expected = predictor(stages, batch.size)
    actual = pixel_losses(logits, batch.target)
    if network.pixelwise:
        return ranking_loss(expected.flatten(), actual.flatten())
    labelled = (batch.target != UNLABELLED).float()
    counts = labelled.sum(dim=(1, 2)).clamp_min(1)
    expected, actual = ((v * labelled).sum(dim=(1, 2)) / counts for v in (expected, actual))
    even = len(counts) // 2 * 2
    return ranking_loss(expected[:even], actual[:even])
