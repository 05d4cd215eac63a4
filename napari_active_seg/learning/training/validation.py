"""Held-out labels, evaluated during training to keep the best state and to stop early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from napari_active_seg.learning.module_modes import evaluating
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.training.batches import compute_labelled_features
from napari_active_seg.learning.training.losses import masked_cross_entropy
from napari_active_seg.learning.training.padding import cut_window
from napari_active_seg.models.segmenter import TrainExample
from napari_active_seg.regions import UNLABELLED

__all__ = ["Best", "HeldOut", "HeldOutCrops", "HeldOutPixels"]

#: Most crops that are evaluated, and their largest side in pixels.
_MOST_CROPS, _LARGEST_CROP = 16, 384
#: Most pixels of a pixelwise network that are evaluated.
_MOST_PIXELS = 100_000


N_contra = TypeVar("N_contra", bound=nn.Module, contravariant=True)


class HeldOut(Protocol[N_contra]):
    """Scores a network by labels that it does not learn from."""

    def loss(self, network: N_contra) -> float:
        """Return the mean of -log p over these labels, without dropout."""


class HeldOutPixels:
    """Cached features of labelled pixels, for pixelwise networks."""

    def __init__(
        self, network: Network, examples: Sequence[TrainExample], device: torch.device
    ) -> None:
        features, targets = compute_labelled_features(network, examples, device)
        step = -(-len(targets) // _MOST_PIXELS)
        features, targets = features[::step], targets[::step]
        self._features, self._target = features.T[None, :, :, None], targets[None, :, None]

    def loss(self, network: Network) -> float:
        """Return the mean of -log p over the labelled pixels."""
        with torch.no_grad(), evaluating(network):
            size = (self._target.shape[1], 1)
            logits = network.suffix(network.middle((self._features,)), size)
            return float(masked_cross_entropy(logits, self._target))


class HeldOutCrops:
    """Crops around labels, one per example."""

    def __init__(self, examples: Sequence[TrainExample], device: torch.device) -> None:
        step = -(-len(examples) // _MOST_CROPS)
        self._crops = [_crop(example, device) for example in examples[::step]]

    def loss(self, network: Network) -> float:
        """Return the mean of -log p over all labelled pixels of the crops."""
        total, count = 0.0, 0
        with torch.no_grad(), evaluating(network):
            for image, target in self._crops:
                labelled = int((target != UNLABELLED).sum())
                total += labelled * float(masked_cross_entropy(network(image), target))
                count += labelled
        return total / count


class Best:
    """The best state so far, and the number of evaluations without improvement."""

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self.loss = float("inf")
        self.looks_since = 0
        self.state: dict[str, Tensor] = {}

    def look(self, loss: float, network: nn.Module) -> None:
        """Keep the state of ``network`` if it has the lowest loss so far."""
        self.looks_since += 1
        if loss < self.loss:
            self.loss, self.looks_since = loss, 0
            self.state = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @property
    def is_over(self) -> bool:
        """Whether patience is exhausted."""
        return 0 < self._patience <= self.looks_since


def _crop(example: TrainExample, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the middle of what is labelled as (1, 3, S, S) in 0..1 and (1, S, S)."""
    rows, columns = np.nonzero(example.target != UNLABELLED)
    spans = [(int(places.min()), int(places.max()) + 1) for places in (rows, columns)]
    side = min(_LARGEST_CROP, max(example.target.shape))
    top, left = ((low + high - side) // 2 for low, high in spans)
    image = cut_window(example.image, top, left, side)
    target = cut_window(example.target, top, left, side, fill=UNLABELLED)
    if (target == UNLABELLED).all():  # labels lie around an empty middle
        top, left = int(rows[0]) - side // 2, int(columns[0]) - side // 2
        image = cut_window(example.image, top, left, side)
        target = cut_window(example.target, top, left, side, fill=UNLABELLED)
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy()).float() / 255
    return planes[None].to(device), torch.from_numpy(target.copy())[None].to(device)
