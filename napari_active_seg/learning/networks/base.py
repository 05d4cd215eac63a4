"""The base class of networks, for sampling and training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from napari_active_seg.learning.dropout_layers import DropoutLayer, find_dropout

__all__ = ["Features", "Heads", "Network"]

Features = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All outputs of a network for a batch, as logits at the size of the images.

    ``contour`` (N, 2, H, W) separates outlines from the rest. The auxiliary logits come from single
    levels of the decoder and are there to be trained on alone.
    """

    logits: Tensor  # (N, C, H, W)
    contour: Tensor | None = None  # (N, 2, H, W)
    auxiliary: tuple[Tensor, ...] = ()
    contour_auxiliary: tuple[Tensor, ...] = ()


class Network(nn.Module, ABC):
    """A segmentation network that is cut where its first active dropout sits.

    ``prefix`` and ``middle`` are deterministic and run once per image; ``suffix`` holds every
    dropout layer that samples and runs once per pass. ``pixelwise`` networks treat each feature
    pixel alone and have a prefix without trainable parameters, so that they train on cached
    features of labelled pixels.
    """

    pixelwise: bool = False
    #: Pixels of the image for one feature pixel, along each axis, of a pixelwise network.
    feature_stride: int = 1
    #: Tiles start at multiples of this, so that every level of features lines up.
    stride: int = 1
    #: Whether ``heads`` gives outlines.
    has_contour: bool = False

    @abstractmethod
    def prefix(self, images: Tensor) -> Features:
        """Return features of ``images`` (N, 3, H, W) in 0..1."""

    def middle(self, features: Features) -> Features:
        """Return what trainable layers before the first dropout make of the prefix."""
        return features

    @abstractmethod
    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size) of what ``middle`` returned."""

    def heads(self, features: Features, size: tuple[int, int]) -> Heads:
        """Return all outputs that training uses, for what ``middle`` returned."""
        return Heads(self.suffix(features, size))

    def stages(self, features: Features) -> Features:
        """Return maps (N, D, h, w) of several depths, for modules that judge the network."""
        return features

    def embed(self, features: Features) -> Tensor:
        """Return a coarse map (N, D, h, w) whose mean over a region is its embedding."""
        return features[-1]

    def sampled_dropout(self) -> Iterable[DropoutLayer]:
        """Return the dropout layers that draw while sampling: all of them, in order."""
        return find_dropout(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of ``images`` (N, 3, H, W) in 0..1."""
        features = self.middle(self.prefix(images))
        return self.suffix(features, (images.shape[-2], images.shape[-1]))
