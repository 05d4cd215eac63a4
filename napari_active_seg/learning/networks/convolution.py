"""A 3 x 3 convolution with its norm; batch norm goes into the weights in evaluation."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["NormedConv", "fold_norm", "get_norm", "is_folded"]


class NormedConv(nn.Module):
    """Convolution, norm, ReLU."""

    def __init__(self, before: int, after: int, *, norm: str = "batch") -> None:
        super().__init__()
        self.weight = nn.Conv2d(before, after, 3, bias=False).weight
        self.norm = get_norm(norm, after)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, after, H, W) of ``x`` (N, before, H, W)."""
        if not is_folded(self.norm):
            normed: Tensor = self.norm(F.conv2d(x, self.weight, padding=1))
            return normed.relu_()
        slope, offset = fold_norm(self.norm)
        return F.conv2d(x, self.weight * slope.view(-1, 1, 1, 1), offset, padding=1).relu_()


def get_norm(name: str, channels: int) -> nn.BatchNorm2d | nn.GroupNorm:
    """Return ``batch`` norm, or ``group`` norm over eight channels each, which knows no batch."""
    if name == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(channels // 8, channels)


def is_folded(norm: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Return whether a norm is a fixed slope and offset now, and goes into the weights."""
    return isinstance(norm, nn.BatchNorm2d) and not norm.training


def fold_norm(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the slope and offset (C,) that ``norm`` is in evaluation."""
    if norm.running_var is None or norm.running_mean is None:
        raise TypeError("a norm without running statistics cannot be folded")
    slope = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return slope, norm.bias - norm.running_mean * slope
