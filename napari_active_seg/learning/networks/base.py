"""What the sampler and the trainer need to know of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = ["Features", "Network"]

Features = tuple[Tensor, ...]


class Network(nn.Module, ABC):
    """A segmentation network that is cut where its first active dropout sits.

    ``prefix`` and ``middle`` are deterministic and run once per image; ``suffix`` holds every
    dropout layer and runs once per pass. ``pixelwise`` networks treat each feature pixel by
    itself and have a prefix without parameters, so that they train on cached features of
    labelled pixels.
    """

    pixelwise: bool = False
    #: Pixels of the image for one feature pixel, along each axis.
    feature_stride: int = 1

    @abstractmethod
    def prefix(self, images: Tensor) -> Features:
        """Return features of ``images`` (N, 3, H, W) in 0..1."""

    def middle(self, features: Features) -> Features:
        """Return what trainable layers before the first dropout make of the prefix."""
        return features

    @abstractmethod
    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size) of what ``middle`` returned."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of ``images`` (N, 3, H, W) in 0..1."""
        features = self.middle(self.prefix(images))
        return self.suffix(features, (images.shape[-2], images.shape[-1]))
