"""Networks that name a whole image: learned from labels, and from images without any.

Unsupervised data augmentation (Xie et al. 2020): the prediction of a plain image, sharpened, is the
target of the prediction of a changed one, where it is confident enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning.training.losses import ranking_loss, sharpened_divergence
from napari_active_seg.learning.training.objectives import (
    LOSS_LEARNS_ALONE_AFTER,
    NetworkAlone,
    Terms,
)
from napari_active_seg.learning.training.optimisation import StepInfo

__all__ = [
    "ImagesWithPredictedLoss",
    "LabelledImages",
    "SmallWeights",
    "Staged",
    "UnlabelledImages",
]

#: Changes images (N, C, H, W) with draws from a generator.
Change = Callable[[Tensor, np.random.Generator], Tensor]


class Staged(Protocol):
    """A network that returns the features of its stages."""

    head: nn.Sequential

    def __call__(self, images: Tensor) -> Tensor:
        """Return logits (N, C)."""

    def stages(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what each stage makes of images (N, F); the head takes the last."""


class _Rounds:
    """Draws places of images: each once before one comes again."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting = np.empty(0, np.int64)

    def draw(self, size: int, rng: np.random.Generator) -> Tensor:
        """Return ``size`` indices, or what is left of a round."""
        if not len(self._waiting):
            self._waiting = rng.permutation(self._count)
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return torch.from_numpy(taken)


class LabelledImages(NetworkAlone):
    """Cross-entropy over batches of labelled images."""

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        *,
        batch: int,
        change: Change | None = None,
    ) -> None:
        if len(labels) == 0:
            raise NothingToDoError("no image is labelled yet")
        self._network, self._images, self._labels = network, images, labels
        self._batch, self._change = batch, change
        self._rounds = _Rounds(len(labels))

    @property
    def per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._labels) // self._batch)

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the cross-entropy of the next batch."""
        del moment
        images, labels = self._draw(rng)
        loss = F.cross_entropy(self._network(images).float(), labels)
        return Terms(loss, {"loss": float(loss.detach())})

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        chosen = self._rounds.draw(self._batch, rng).to(self._labels.device)
        images = self._images[chosen]
        if self._change is not None:
            images = self._change(images, rng)
        return images, self._labels[chosen]


class ImagesWithPredictedLoss(LabelledImages):
    """Labelled images with a module that learns to predict the loss of each.

    After three fifths of a training the module learns alone and moves the network no more.
    """

    def __init__(
        self,
        network: Staged,
        images: Tensor,
        labels: Tensor,
        *,
        predictor: nn.Module,
        batch: int,
        change: Change | None = None,
    ) -> None:
        super().__init__(network, images, labels, batch=batch, change=change)
        self._staged, self._predictor = network, predictor
        self.modules: Sequence[nn.Module] = (predictor,)

    def parameters(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the loss predictor."""
        return list(self._predictor.parameters())

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the cross-entropy of the next batch and how badly its parts were ranked."""
        images, labels = self._draw(rng)
        stages = self._staged.stages(images)
        logits = self._staged.head(stages[-1])
        losses = F.cross_entropy(logits.float(), labels, reduction="none")
        if moment.share > LOSS_LEARNS_ALONE_AFTER:
            stages = tuple(stage.detach() for stage in stages)
        expected = self._predictor(stages)
        even = len(losses) // 2 * 2
        ranked = ranking_loss(expected[:even], losses[:even]) if even else expected.sum() * 0
        loss = losses.mean()
        parts = {"loss": float(loss.detach()), "loss prediction": float(ranked.detach())}
        return Terms(loss + ranked, parts)


class UnlabelledImages(NetworkAlone):
    """Unsupervised data augmentation over batches of images without labels."""

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        *,
        batch: int,
        change: Change,
        temperature: float = 0.5,
        threshold: float = 0.6,
        weight: float = 1.0,
    ) -> None:
        if len(images) == 0:
            raise NothingToDoError("no image is left without a label")
        self._network, self._images, self._change = network, images, change
        self._batch, self._weight = batch, weight
        self._temperature, self._threshold = temperature, threshold
        self._rounds = _Rounds(len(images))

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the divergence between plain and changed images of the next batch."""
        del moment
        plain = self._images[self._rounds.draw(self._batch, rng).to(self._images.device)]
        with torch.no_grad():
            aim = self._network(plain)
        changed = self._network(self._change(plain, rng))
        loss = sharpened_divergence(
            changed, aim, temperature=self._temperature, threshold=self._threshold
        )
        return Terms(self._weight * loss, {"augmented": float(loss.detach())})


class SmallWeights(NetworkAlone):
    """The squares of ``weights``, times a factor."""

    def __init__(self, weights: Sequence[Tensor], penalty: float) -> None:
        self._weights, self._penalty = weights, penalty

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the squares of all."""
        del rng, moment
        squares = torch.stack([weights.square().sum() for weights in self._weights]).sum()
        return Terms(self._penalty * squares)
