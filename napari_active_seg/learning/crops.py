"""Augmented crops around labels, for networks that see more than a pixel.

Loads torchvision, which is slow: import it where crops are about to be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning.batches import Batch
from napari_active_seg.learning.networks import Network
from napari_active_seg.regions import UNLABELLED, contour_target
from napari_active_seg.segmenter import TrainExample

__all__ = ["CropBatches"]


class CropBatches:
    """Augmented crops, each of which holds at least one labelled pixel."""

    def __init__(
        self,
        network: Network,
        examples: Sequence[TrainExample],
        *,
        batch: int,
        crop: int,
        device: torch.device,
    ) -> None:
        self._network = network
        self._device = device
        self._batch, self._crop = batch, crop
        padded = [_at_least(example, crop) for example in examples]
        self._examples = [e for e in padded if (e.target != UNLABELLED).any()]
        if not self._examples:
            raise NothingToDoError("nothing is labelled yet; finish a region first")
        self._masks = [_masks(e, with_contour=network.has_contour) for e in self._examples]
        self._places = [np.flatnonzero(e.target != UNLABELLED) for e in self._examples]
        counts = np.array([len(places) for places in self._places], float)
        self._shares = counts / counts.sum()
        self._labelled = int(counts.sum())
        self._colour = v2.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.2, hue=0.03)

    @property
    def per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-self._labelled // (self._batch * self._crop**2))

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return features and targets of random crops."""
        pairs = [self._draw_one(rng) for _ in range(self._batch)]
        images = torch.stack([image for image, _ in pairs]).to(self._device)
        masks = torch.stack([mask for _, mask in pairs]).to(self._device)
        contour = masks[:, 1] if masks.shape[1] > 1 else None
        size = (self._crop, self._crop)
        return Batch(self._network.prefix(images), masks[:, 0], size, contour)

    def _draw_one(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a crop (3, H, W) in 0..1 and its masks (1 or 2, H, W)."""
        index = int(rng.choice(len(self._examples), p=self._shares))
        example, crop = self._examples[index], self._crop
        place = int(rng.choice(self._places[index]))
        y, x = divmod(place, example.target.shape[1])
        top = _start_that_holds(y, crop, example.target.shape[0], rng)
        left = _start_that_holds(x, crop, example.target.shape[1], rng)
        window = (slice(top, top + crop), slice(left, left + crop))
        image = tv_tensors.Image(example.image[window].transpose(2, 0, 1).copy())
        masks = tv_tensors.Mask(self._masks[index][:, window[0], window[1]].copy())
        if rng.random() < 0.5:
            image, masks = (
                v2.functional.horizontal_flip(image),
                v2.functional.horizontal_flip(masks),
            )
        turns = int(rng.integers(4))
        image, masks = torch.rot90(image, turns, (-2, -1)), torch.rot90(masks, turns, (-2, -1))
        coloured = self._colour(tv_tensors.Image(image))
        return coloured.as_subclass(Tensor).float() / 255, masks.as_subclass(Tensor)


def _start_that_holds(place: int, crop: int, length: int, rng: np.random.Generator) -> int:
    lowest, highest = max(0, place - crop + 1), min(place, length - crop)
    return int(rng.integers(lowest, highest + 1))


def _masks(example: TrainExample, *, with_contour: bool) -> NDArray[np.uint8]:
    """Return the target, and the outlines where they are wanted, as (1 or 2, H, W)."""
    if not with_contour:
        return example.target[None]
    return np.stack([example.target, contour_target(example.target, example.instances)])


def _at_least(example: TrainExample, crop: int) -> TrainExample:
    """Return the example padded to ``crop`` pixels a side; padding is not labelled."""
    height, width = example.target.shape
    around = ((0, max(0, crop - height)), (0, max(0, crop - width)))
    if around == ((0, 0), (0, 0)):
        return example
    instances = example.instances
    return TrainExample(
        np.pad(example.image, (*around, (0, 0)), mode="symmetric"),
        np.pad(example.target, around, constant_values=UNLABELLED),
        None if instances is None else np.pad(instances, around),
    )
