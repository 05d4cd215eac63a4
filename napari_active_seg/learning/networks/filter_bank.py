"""A filter bank under a small perceptron: trains in seconds on a laptop.

The bank has no parameters: smoothed optical densities, edges, ridges and local contrast at
five scales, at half the image's resolution. Dropout sits after both hidden layers; since a
channel is dropped for all pixels alike, one pass is one draw of the perceptron's weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.networks.base import Features, Network
from napari_active_seg.learning.networks.pointwise import Pointwise

__all__ = ["BANK_PLANES", "FilterBankMLP", "filter_bank"]

_SIGMAS = (0.7, 1.5, 3.0, 6.0, 12.0)
#: Planes of the filter bank.
BANK_PLANES = 3 + len(_SIGMAS) * 7


class FilterBankMLP(Network):
    """About 7,000 parameters; dropout in the perceptron alone."""

    pixelwise = True
    feature_stride = 2
    stride = 2

    def __init__(
        self,
        n_classes: int,
        *,
        hidden: int = 64,
        dropout: float = 0.2,
        n_features: int = BANK_PLANES,
    ) -> None:
        super().__init__()
        self.scale = nn.BatchNorm2d(n_features, affine=False)
        self.first = Pointwise(n_features, hidden)
        self.second = Pointwise(hidden, hidden)
        self.head = Pointwise(hidden, n_classes)
        self.drop_first = nn.Dropout(dropout)
        self.drop_second = nn.Dropout(dropout)

    def prefix(self, images: Tensor) -> Features:
        """Return the filter bank (N, 38, ceil(H / 2), ceil(W / 2))."""
        return (filter_bank(F.avg_pool2d(images, 2, ceil_mode=True)),)

    def middle(self, features: Features) -> Features:
        """Return the first hidden layer, before its dropout."""
        return (self.first(self.scale(features[0])).relu_(),)

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        planes = features[0]
        ones = planes.new_ones(planes.shape[:2])
        hidden = self.second(planes, self.drop_first(ones)).relu_()
        logits: Tensor = self.head(hidden, self.drop_second(ones))
        if logits.shape[-2:] == size:
            return logits
        doubled = (2 * logits.shape[-2], 2 * logits.shape[-1])
        logits = F.interpolate(logits, doubled, mode="bilinear", align_corners=False)
        return logits[..., : size[0], : size[1]]


def filter_bank(images: Tensor) -> Tensor:
    """Return 3 + 7 x 5 feature planes (N, 38, H, W) of ``images`` (N, 3, H, W) in 0..1."""
    density = -torch.log(images.clamp_min(1 / 255))
    grey = density.mean(dim=1, keepdim=True)
    planes = [density]
    for sigma in _SIGMAS:
        stacked = _smooth(torch.cat([density, grey, grey * grey], dim=1), sigma)
        colour, soft, square = stacked[:, :3], stacked[:, 3:4], stacked[:, 4:5]
        dy, dx = _slopes(soft)
        dyy, dyx = _slopes(dy)
        _, dxx = _slopes(dx)
        middle, half = (dyy + dxx) / 2, _length((dyy - dxx) / 2, dyx)
        contrast = (square - soft * soft).clamp_min(0).sqrt()
        planes += [
            colour,
            _length(dy, dx) * sigma,
            (middle + half) * sigma**2,
            (middle - half) * sigma**2,
            contrast,
        ]
    return torch.cat(planes, dim=1)


def _smooth(planes: Tensor, sigma: float) -> Tensor:
    """Return ``planes`` (N, C, H, W) under a Gaussian, borders repeated."""
    radius = math.ceil(3 * sigma)
    steps = torch.arange(-radius, radius + 1, dtype=planes.dtype, device=planes.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    channels = planes.shape[1]
    column = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    row = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(planes, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, column, groups=channels), row, groups=channels)


def _slopes(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Return central differences along y and x."""
    padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    return dy, dx


def _length(y: Tensor, x: Tensor) -> Tensor:
    """Return the length of vectors; ONNX has no hypot."""
    return (y * y + x * x).sqrt()
