"""Augmented crops around labels, for networks that see more than a pixel.

Loads torchvision, which is slow: import it where crops are about to be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.training.augmentation import Augmentation, Warp
from napari_active_seg.learning.training.batches import Batch
from napari_active_seg.learning.training.distributed import local_rows
from napari_active_seg.learning.training.padding import cut_window
from napari_active_seg.learning.training.pixel_sampler import LabelledPlaces
from napari_active_seg.models.segmenter import TrainExample
from napari_active_seg.regions import UNLABELLED, make_contour_target

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
        augmentation: Augmentation,
        even_classes: bool = False,
    ) -> None:
        self._network = network
        self._device = device
        self._batch, self._crop = batch, crop
        self._augmentation = augmentation
        self._examples = [e for e in examples if (e.target != UNLABELLED).any()]
        if not self._examples:
            raise NothingToDoError("nothing is labelled yet; finish a region first")
        self._masks = [_masks(e, with_contour=network.has_contour) for e in self._examples]
        self._places = LabelledPlaces([e.target for e in self._examples], even=even_classes)

    @property
    def per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-self._places.count // (self._batch * self._crop**2))

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return features and targets of random crops.

        Each crop has a seed of its own, so that processes that share a batch draw the same crops.
        """
        seeds = rng.integers(2**63, size=self._batch)
        pairs = [self._draw_one(np.random.default_rng(seeds[i])) for i in local_rows(self._batch)]
        images = torch.stack([image for image, _ in pairs]).to(self._device)
        masks = torch.stack([mask for _, mask in pairs]).to(self._device)
        contour = masks[:, 1] if masks.shape[1] > 1 else None
        size = (self._crop, self._crop)
        return Batch(self._network.prefix(images), masks[:, 0], size, contour)

    def _draw_one(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a crop (3, H, W) in 0..1 and its masks (1 or 2, H, W)."""
        index, y, x = self._places.draw(rng)
        example, crop = self._examples[index], self._crop
        height, width = example.target.shape
        corner = (_start_that_holds(y, crop, height, rng), _start_that_holds(x, crop, width, rng))
        warp = self._augmentation.draw_warp(rng)
        image, masks = self._move(index, corner, warp, rng)
        if not bool((masks[0] != UNLABELLED).any()):  # the warp lost a label that was small
            image, masks = self._move(index, corner, Warp(), rng)
        return self._augmentation.augment_colour(image, rng), masks

    def _move(
        self, index: int, corner: tuple[int, int], warp: Warp, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        crop = self._crop
        side = crop if warp.is_none else warp.source_side(crop)
        top, left = (start - (side - crop) // 2 for start in corner)
        image = cut_window(self._examples[index].image, top, left, side)
        masks = np.stack(
            [cut_window(mask, top, left, side, fill=UNLABELLED) for mask in self._masks[index]]
        )
        return self._augmentation.moved(image, masks, warp, crop, rng)


def _start_that_holds(place: int, crop: int, length: int, rng: np.random.Generator) -> int:
    """Return where a crop starts that holds ``place``, inside the picture where it is as long."""
    if length <= crop:
        return -((crop - length) // 2)
    lowest, highest = max(0, place - crop + 1), min(place, length - crop)
    return int(rng.integers(lowest, highest + 1))


def _masks(example: TrainExample, *, with_contour: bool) -> NDArray[np.uint8]:
    """Return the target, and the outlines where they are wanted, as (1 or 2, H, W)."""
    if not with_contour:
        return example.target[None]
    return np.stack([example.target, make_contour_target(example.target, example.instances)])
