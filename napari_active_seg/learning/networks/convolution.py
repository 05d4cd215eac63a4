"""A 3 x 3 convolution with its batch norm, which goes into the weights in evaluation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["NormedConv", "folded_norm"]


class NormedConv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(before, after, 3, bias=False).weight
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, after, H, W) of ``x`` (N, before, H, W)."""
        if self.norm.training:
            normed: Tensor = self.norm(F.conv2d(x, self.weight, padding=1))
            return normed.relu_()
        slope, offset = folded_norm(self.norm)
        return F.conv2d(x, self.weight * slope.view(-1, 1, 1, 1), offset, padding=1).relu_()


def folded_norm(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the slope and offset (C,) that ``norm`` is in evaluation."""
    if norm.running_var is None or norm.running_mean is None:
        raise TypeError("a norm without running statistics cannot be folded")
    slope = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return slope, norm.bias - norm.running_mean * slope
