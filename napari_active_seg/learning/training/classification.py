"""Networks that name a whole image: learned from labels, and from images without any.

Unsupervised data augmentation (Xie et al. 2020): what a network says of a plain image, sharpened,
is what it should say of a changed one, where it is sure enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning.training.losses import sharpened_divergence
from napari_active_seg.learning.training.objectives import NetworkAlone, Terms
from napari_active_seg.learning.training.recipe import Moment

__all__ = ["LabelledImages", "UnlabelledImages"]

#: Changes images (N, C, H, W) with draws from a generator.
Change = Callable[[Tensor, np.random.Generator], Tensor]


class LabelledImages(NetworkAlone):
    """Cross-entropy over random batches of labelled images."""

    def __init__(
        self,
        network: nn.Module,
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

    @property
    def per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._labels) // self._batch)

    def terms(self, rng: np.random.Generator, moment: Moment) -> Terms:
        """Return the cross-entropy of the next batch."""
        del moment
        chosen = torch.from_numpy(rng.integers(len(self._labels), size=self._batch))
        images = self._images[chosen]
        if self._change is not None:
            images = self._change(images, rng)
        loss = F.cross_entropy(self._network(images).float(), self._labels[chosen])
        return Terms(loss, {"loss": float(loss.detach())})


class UnlabelledImages(NetworkAlone):
    """Unsupervised data augmentation over random batches of images without labels."""

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

    def terms(self, rng: np.random.Generator, moment: Moment) -> Terms:
        """Return the divergence between plain and changed images of the next batch."""
        del moment
        chosen = torch.from_numpy(rng.integers(len(self._images), size=self._batch))
        plain = self._images[chosen]
        with torch.no_grad():
            aim = self._network(plain)
        changed = self._network(self._change(plain, rng))
        loss = sharpened_divergence(
            changed, aim, temperature=self._temperature, threshold=self._threshold
        )
        return Terms(self._weight * loss, {"augmented": float(loss.detach())})
