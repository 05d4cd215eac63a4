"""A small U-Net: 0.9 million parameters, good on a CPU.

Encoder of five levels without dropout (it runs once per image), decoder of four with channel
dropout after each block, head of one 1 x 1 convolution. It works at half the image's
resolution: context beats resolution when few pixels are labelled.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.networks.base import Features, Network

__all__ = ["SmallUNet"]

_WIDTHS = (16, 32, 64, 96, 128)
_DEEPEST = 2 ** (len(_WIDTHS) - 1)


class SmallUNet(Network):
    """U-Net with dropout in the decoder; takes any image size."""

    feature_stride = 2

    def __init__(self, n_classes: int, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = _block(3, _WIDTHS[0])
        self.encoder = nn.ModuleList(_block(a, b) for a, b in pairwise(_WIDTHS))
        upwards = list(pairwise(reversed(_WIDTHS)))
        self.decoder = nn.ModuleList(_block(a + b, b) for a, b in upwards)
        self.dropout = nn.ModuleList(nn.Dropout2d(dropout) for _ in upwards)
        self.head = nn.Conv2d(_WIDTHS[0], n_classes, 1)

    def prefix(self, images: Tensor) -> Features:
        """Return the encoder's feature maps, finest first."""
        small = F.avg_pool2d(images, 2, ceil_mode=True)
        height, width = small.shape[-2:]
        padding = (0, -width % _DEEPEST, 0, -height % _DEEPEST)
        centred = F.pad((small - 0.5) * 2, padding, mode="replicate")
        x = self.stem(centred.contiguous(memory_format=torch.channels_last))
        maps = [x]
        for block in self.encoder:
            x = block(F.max_pool2d(x, 2))
            maps.append(x)
        return tuple(maps)

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        x = features[-1]
        skips = reversed(features[:-1])
        for block, drop, skip in zip(self.decoder, self.dropout, skips, strict=True):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = drop(block(torch.cat([x, skip], dim=1)))
        logits = F.interpolate(self.head(x), scale_factor=2, mode="bilinear", align_corners=False)
        return logits[..., : size[0], : size[1]]


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in ((before, after), (after, after)):
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers)
