"""Batches for the trainer, and cached features of labelled pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning.inference import image_to_tensor
from napari_active_seg.learning.module_modes import evaluating
from napari_active_seg.learning.networks import Features, Network
from napari_active_seg.learning.training.distributed import local_rows
from napari_active_seg.models.segmenter import TrainExample
from napari_active_seg.regions import UNLABELLED

__all__ = ["Batch", "Batches", "PixelBatches", "compute_labelled_features"]

#: Labelled pixels go through a pixelwise network in squares of this many pixels a side.
_SIDE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Features to put through the rest of the network, and what should come out.

    ``contour`` (N, H, W) is there for networks that draw outlines.
    """

    features: Features
    target: Tensor  # (N, H, W)
    size: tuple[int, int]
    contour: Tensor | None = None


class Batches(Protocol):
    """Draws batches for ever; ``per_epoch`` of them see each label once on average."""

    @property
    def per_epoch(self) -> int:
        """Number of batches in an epoch."""

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return the next batch."""


class PixelBatches:
    """Labelled pixels of a pixelwise network, their features computed once."""

    def __init__(
        self,
        network: Network,
        examples: Sequence[TrainExample],
        *,
        batch: int,
        device: torch.device,
        even_classes: bool = False,
    ) -> None:
        self._features, self._targets = compute_labelled_features(network, examples, device)
        self._batch = batch
        if len(self._targets) == 0:
            raise NothingToDoError("nothing is labelled yet; finish a region first")
        self._of_class: list[Tensor] = []
        if even_classes:
            labels = self._targets.unique()
            self._of_class = [torch.nonzero(self._targets == k)[:, 0] for k in labels]

    @property
    def per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._targets) // self._batch)

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return random labelled pixels, arranged as (N, F, side, side) and (N, side, side).

        Each of the N squares draws a dropout mask of its own.
        """
        shape = (max(1, self._batch // _SIDE**2), _SIDE, _SIDE)
        if self._of_class:
            chosen = self._choose_evenly(shape, rng)
        else:
            chosen = torch.from_numpy(rng.integers(len(self._targets), size=shape))
        chosen = chosen.to(self._targets.device)[local_rows(shape[0])]
        features = self._features[chosen].permute(0, 3, 1, 2)
        return Batch((features,), self._targets[chosen], (_SIDE, _SIDE))

    def _choose_evenly(self, shape: tuple[int, int, int], rng: np.random.Generator) -> Tensor:
        """Return places of pixels (N, side, side): a class is drawn, then one of its pixels."""
        classes = rng.integers(len(self._of_class), size=shape)
        shares = rng.random(shape)
        chosen = torch.zeros(shape, dtype=torch.long)
        for number, places in enumerate(self._of_class):
            of_class = torch.from_numpy(classes == number)
            drawn = torch.from_numpy((shares * len(places)).astype(np.int64))[of_class]
            chosen[of_class] = places.cpu()[drawn]
        return chosen


def compute_labelled_features(
    network: Network, examples: Sequence[TrainExample], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the features (P, F) and labels (P,) of all labelled pixels of a pixelwise network."""
    stride = network.feature_stride
    features, targets = [], []
    with torch.inference_mode(), evaluating(network):
        for example in examples:
            target = torch.from_numpy(example.target[::stride, ::stride].copy()).to(device)
            labelled = target != UNLABELLED
            planes = network.prefix(image_to_tensor(example.image, device))[0][0]
            features.append(planes[:, labelled].T)
            targets.append(target[labelled])
    # Inference tensors cannot take part in training; a clone outside can.
    return torch.cat(features).clone(), torch.cat(targets).clone()
