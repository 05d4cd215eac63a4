"""A 1 x 1 convolution as one matrix product, with dropout inside its small weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_active_seg.learning.networks.convolution import fold_norm

__all__ = ["Pointwise", "PointwiseBlock"]


class Pointwise(nn.Module):
    """A 1 x 1 convolution as a matrix product."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        line = nn.Linear(before, after)
        self.weight, self.bias = line.weight, line.bias

    def forward(self, planes: Tensor, gain: Tensor | None = None) -> Tensor:
        """Return (N, after, H, W) of ``planes`` (N, before, H, W).

        ``gain`` (N, before) scales the channels, as dropout does; it goes into the small weights
        instead of the large planes.
        """
        return _product(planes, self.weight, self.bias, gain)


class PointwiseBlock(nn.Module):
    """1 x 1 convolution, batch norm, ReLU; in evaluation the norm goes into the weights."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Linear(before, after, bias=False).weight
        self.norm = nn.BatchNorm2d(after)

    def forward(self, planes: Tensor, gain: Tensor | None = None) -> Tensor:
        """Return (N, after, H, W) of ``planes`` (N, before, H, W), channels scaled by ``gain``."""
        if self.norm.training:
            normed: Tensor = self.norm(_product(planes, self.weight, None, gain))
            return normed.relu_()
        slope, offset = fold_norm(self.norm)
        return _product(planes, self.weight * slope[:, None], offset, gain).relu_()


def _product(planes: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> Tensor:
    count = planes.shape[0] if gain is None else gain.shape[0]
    flat = planes.flatten(2).expand(count, -1, -1)
    weights = weight.expand(count, -1, -1)
    if gain is not None:
        weights = weights * gain[:, None, :]
    if bias is None:
        apply_cutmix = torch.bmm(weights, flat)
    else:
        apply_cutmix = torch.baddbmm(bias[None, :, None].expand(count, -1, 1), weights, flat)
    return apply_cutmix.reshape(count, apply_cutmix.shape[1], *planes.shape[2:])
