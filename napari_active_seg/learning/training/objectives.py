"""Objectives of training: the losses of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from napari_active_seg.learning.networks import Features, Network
from napari_active_seg.learning.networks.auxiliary_heads import LossPredictor
from napari_active_seg.learning.training.batches import Batch, Batches
from napari_active_seg.learning.training.losses import (
    LossFunction,
    heads_loss,
    masked_cross_entropy,
    pixel_losses,
    ranking_loss,
)
from napari_active_seg.learning.training.optimisation import StepInfo
from napari_active_seg.regions import UNLABELLED

__all__ = ["LOSS_LEARNS_ALONE_AFTER", "NetworkAlone", "Objective", "Supervised", "Terms"]

#: Share of the training after which loss prediction no longer changes the network itself.
LOSS_LEARNS_ALONE_AFTER = 0.6
#: Single levels of a decoder count ever less: their weight falls to a tenth over this many epochs.
_AUXILIARY_EPOCHS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """The loss of one step; ``total`` is minimised, ``parts`` are reported by name."""

    total: Tensor
    parts: dict[str, float] = field(default_factory=dict)


class Objective(Protocol):
    """A part of the training loss; the parts are summed."""

    @property
    def modules(self) -> Sequence[nn.Module]:
        """Modules that learn together with the network, to be saved with it."""

    @property
    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Optimisers of its own, which it steps itself."""

    def parameters(self) -> Sequence[nn.Parameter]:
        """Return parameters that the trainer's optimiser updates in addition to the network."""

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the terms of the next step."""

    def after_step(self) -> None:
        """Do what comes after the network has moved."""


class NetworkAlone:
    """Base class of objectives that train the network alone."""

    modules: Sequence[nn.Module] = ()
    optimisers: Sequence[torch.optim.Optimizer] = ()

    def parameters(self) -> Sequence[nn.Parameter]:
        """Return nothing: the network alone learns."""
        return []

    def after_step(self) -> None:
        """Do nothing."""


class Supervised:
    """The masked loss on labelled pixels, and a module that learns to predict it."""

    optimisers = ()

    def __init__(
        self,
        network: Network,
        batches: Batches,
        *,
        loss: LossFunction = masked_cross_entropy,
        class_weights: Tensor | None = None,
        loss_predictor: LossPredictor | None = None,
    ) -> None:
        self._network, self._batches = network, batches
        self._loss, self._class_weights = loss, class_weights
        self._predictor = loss_predictor

    @property
    def modules(self) -> Sequence[nn.Module]:
        """The loss predictor, where there is one."""
        return () if self._predictor is None else (self._predictor,)

    def parameters(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the loss predictor."""
        return [] if self._predictor is None else list(self._predictor.parameters())

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the loss of the next batch."""
        network, batch = self._network, self._batches.draw(rng)
        features = network.middle(batch.features)
        heads = network.heads(features, batch.size)
        loss = heads_loss(
            heads,
            batch.target,
            batch.contour,
            auxiliary_weight=0.1 ** (moment.step / moment.per_epoch / _AUXILIARY_EPOCHS),
            loss=self._loss,
            class_weights=self._class_weights,
        )
        parts = {"loss": float(loss.detach())}
        if self._predictor is None:
            return Terms(loss, parts)
        stages = network.stages(features)
        if moment.share > LOSS_LEARNS_ALONE_AFTER:
            stages = tuple(stage.detach() for stage in stages)
        loss_error = _loss_prediction_error(self._predictor, stages, heads.logits, batch, network)
        return Terms(loss + loss_error, parts)

    def after_step(self) -> None:
        """Do nothing."""


def _loss_prediction_error(
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
